//! The error of a command: one line, with the remedy.

use std::{error::Error as _, io, time::Duration};

use thiserror::Error;
use tiny_cache_client::{Error as CacheError, ErrorKind, transport::Failure};

/// An [`Error::Refused`] with the text of a `format!`.
macro_rules! refused {
    ($($text:tt)+) => { $crate::error::Error::Refused(format!($($text)+)) };
}
pub(crate) use refused;

/// Why a command failed.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The command line is wrong, or a file or variable that it uses.
    #[error("{0}")]
    Refused(String),
    #[error("cannot read {name}: {cause}")]
    Read { name: String, cause: io::Error },
    #[error("cannot write {name}: {cause}")]
    Write { name: String, cause: io::Error },
    #[error("cannot write stdout: {0}")]
    Stdout(io::Error),
    #[error("{}", words(.error, .note, .target.as_ref()))]
    Cache {
        error: CacheError,
        /// What may have been applied in spite of the error.
        note: &'static str,
        target: Option<Target>,
    },
    /// The server has no room for a value; the text has its limit.
    #[error("{0}")]
    NoRoom(String),
}

/// The server of a call and its time, as the user named them.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) timeout: Duration,
    /// The option that sets the timeout.
    pub(crate) option: &'static str,
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Self {
        Self::Cache { error, note: "", target: None }
    }
}

impl Error {
    /// The error of a value format that JSON does not have.
    pub(crate) fn format_in_json(form: &str) -> Self {
        refused!(
            "--format {form} has no meaning in JSON; choose --format base64 or hex, or leave it \
             out: a value that is not UTF-8 is in base64 then"
        )
    }

    /// The error of a batch. Parts of it may have been applied.
    pub(crate) fn of_batch(error: CacheError, note: &'static str) -> Self {
        let note = if error.may_have_been_applied() { note } else { "" };
        Self::Cache { error, note, target: None }
    }

    /// Adds the target, unless it is known.
    pub(crate) fn at(self, target: &Target) -> Self {
        match self {
            Self::Cache { error, note, target: None } => {
                Self::Cache { error, note, target: Some(target.clone()) }
            }
            other => other,
        }
    }

    /// Whether the reader of stdout has closed it, as in `tiny-cache get key | head -c 10`.
    pub(crate) fn is_closed_stdout(&self) -> bool {
        matches!(self, Self::Stdout(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The text in one line, even if a server's text or a file's name has line breaks.
    pub(crate) fn one_line(&self) -> String {
        one_line(&self.to_string())
    }
}

/// Replaces control characters, which a terminal would obey, by spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The whole text: the failure, what may have been applied, the remedy, the request id.
fn words(error: &CacheError, note: &str, target: Option<&Target>) -> String {
    format!("{}{note}{}{}", told(error, target), remedy(error, target), id(error))
}

/// The failure of a call. A timeout is the one that the user set, not the rest of it that the last
/// try had.
pub(crate) fn told(error: &CacheError, target: Option<&Target>) -> String {
    let Some(Target { address, timeout, .. }) = target else { return error.to_string() };
    let timeout = humantime::format_duration(*timeout);
    let failure = error.source().and_then(|source| source.downcast_ref::<Failure>());
    let text = match failure {
        Some(Failure::NoConnection(_)) => format!("no connection to {address} within {timeout}"),
        Some(_) if error.kind() == ErrorKind::Timeout => {
            format!("no reply from {address} within {timeout}")
        }
        _ => return error.to_string(),
    };
    match error.tries() {
        0 | 1 => text,
        tries => format!("{text} (after {tries} tries)"),
    }
}

/// Whether a quota of the namespace refused it: its text names the setting.
pub(crate) fn is_of_quota(error: &CacheError) -> bool {
    error.to_string().contains("CACHE_QUOTAS_PATH")
}

fn remedy(error: &CacheError, target: Option<&Target>) -> String {
    let remedy = match error.kind() {
        // A server that answered is the right one, and says what keeps it from it.
        ErrorKind::Connection if error.request_id().is_some() => "",
        ErrorKind::Connection => "; check the server, --target and the TLS options",
        ErrorKind::Timeout => {
            let option = target.map_or("--timeout", |target| target.option);
            return format!("; check the server, or allow more with {option}");
        }
        ErrorKind::ResourceExhausted if is_of_quota(error) => {
            "; `tiny-cache namespaces` shows the quotas"
        }
        ErrorKind::ResourceExhausted => "; `tiny-cache stats` shows the server's limits",
        ErrorKind::Unauthenticated => "; check --token-file, TINY_CACHE_TOKEN, --cert and --key",
        // The server's text has who asked, for what and where. A bad certificate ends like this too.
        ErrorKind::PermissionDenied => {
            "; `tiny-cache-server check-access` shows what the rules of the server allow"
        }
        // The texts of these name the remedy, or there is none.
        _ => "",
    };
    remedy.to_owned()
}

/// The request id, if the server's logs may explain the error.
fn id(error: &CacheError) -> String {
    match (error.kind(), error.request_id()) {
        (ErrorKind::Internal | ErrorKind::Connection | ErrorKind::Other, Some(id)) => {
            format!(" (request id {id})")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_whatever_the_server_says() {
        let error = Error::Refused("two\nlines and \u{1b}[31mred\n".to_owned());
        assert_eq!(error.one_line(), "two lines and  [31mred");
    }
}
