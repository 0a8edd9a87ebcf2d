//! Every way in which a command fails, in one line that names the remedy.

use std::{error::Error as _, io, time::Duration};

use thiserror::Error;
use tiny_cache_client::{Error as CacheError, ErrorKind, transport::Failure};

/// Why a command came to nothing.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The command line is wrong, or something that it names.
    #[error("{0}")]
    Refused(String),
    #[error("cannot read {name}: {cause}")]
    Read { name: String, cause: io::Error },
    #[error("cannot write {name}: {cause}")]
    Write { name: String, cause: io::Error },
    #[error("cannot write stdout: {0}")]
    Stdout(io::Error),
    #[error("{}", words(.error, .note, .place.as_ref()))]
    Cache {
        error: CacheError,
        /// What may have been done for all that.
        note: &'static str,
        place: Option<Place>,
    },
    /// The server has no room for a value, and said how much it has.
    #[error("{0}")]
    NoRoom(String),
}

/// Where a call went, and how long it was given: an error says it as the user did.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) address: String,
    pub(crate) timeout: Duration,
    /// The option that gives it more.
    pub(crate) more: &'static str,
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Self {
        Self::Cache { error, note: "", place: None }
    }
}

impl Error {
    /// A form of values that JSON does not have.
    pub(crate) fn format_in_json(form: &str) -> Self {
        Self::Refused(format!(
            "--format {form} has no meaning in JSON; choose --format base64 or hex, or leave it \
             out: a value that is not UTF-8 is in base64 then"
        ))
    }

    /// The error of a batch. Parts of it may have been done before, or in spite of it.
    pub(crate) fn of_batch(error: CacheError, note: &'static str) -> Self {
        let note = if error.may_have_been_applied() { note } else { "" };
        Self::Cache { error, note, place: None }
    }

    /// Adds where the call went, unless that is known.
    pub(crate) fn at(self, place: &Place) -> Self {
        match self {
            Self::Cache { error, note, place: None } => {
                Self::Cache { error, note, place: Some(place.clone()) }
            }
            other => other,
        }
    }

    /// Whether whoever read our output has seen enough: `tiny-cache get key | head -c 10`.
    pub(crate) fn is_closed_stdout(&self) -> bool {
        matches!(self, Self::Stdout(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The text in one line, even where a server or a file's name has more.
    pub(crate) fn one_line(&self) -> String {
        one_line(&self.to_string())
    }
}

/// Text without the line breaks and escape sequences that a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// All that there is to say: what became of the call, what may have been done for all that, the
/// remedy, and the request's id.
fn words(error: &CacheError, note: &str, place: Option<&Place>) -> String {
    format!("{}{note}{}{}", told(error, place), remedy(error, place), id(error))
}

/// What became of a call. A time that was over is the one that was given, not what was left
/// of it for the last try.
pub(crate) fn told(error: &CacheError, place: Option<&Place>) -> String {
    let Some(Place { address, timeout, .. }) = place else { return error.to_string() };
    let timeout = humantime::format_duration(*timeout);
    let failure = error.source().and_then(|source| source.downcast_ref::<Failure>());
    let text = match failure {
        Some(Failure::NoConnection(_)) => format!("no connection to {address} within {timeout}"),
        Some(_) if error.kind() == ErrorKind::Timeout => {
            format!("no reply from {address} within {timeout}")
        }
        // What rustls says of a first record that is none.
        Some(Failure::Connect(cause)) if cause.to_string().contains("InvalidContentType") => {
            format!("cannot connect to {address}: the server does not speak TLS")
        }
        _ => return error.to_string(),
    };
    match error.tries() {
        0 | 1 => text,
        tries => format!("{text} (after {tries} tries)"),
    }
}

fn remedy(error: &CacheError, place: Option<&Place>) -> String {
    let remedy = match error.kind() {
        ErrorKind::Connection => "; check the server, --target and the TLS options",
        ErrorKind::Timeout => {
            let more = place.map_or("--timeout", |place| place.more);
            return format!("; check the server, or allow more with {more}");
        }
        ErrorKind::ResourceExhausted => "; `tiny-cache stats` shows the server's limits",
        ErrorKind::PermissionDenied => "; check --cert and --key",
        // These say themselves what is allowed, or nothing can be done about them here.
        _ => "",
    };
    remedy.to_owned()
}

/// The request's id, where the server's logs have more to say than its reply.
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
