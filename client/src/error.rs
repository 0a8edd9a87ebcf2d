//! The error of a call: its kind, and its text in one line.

use std::{error::Error as StdError, fmt, sync::Arc};

use tiny_cache_proto::key::{InvalidKey, InvalidNamespace};

use crate::{
    address::{Address, InvalidAddress},
    kind::ErrorKind,
    transport::{Failure, InvalidToken},
};

/// The result of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed. Its text is one line, and names the server, the cause and the tries.
///
/// A miss is not an error, and neither is a condition that was not met.
///
/// ```
/// # use tiny_cache_client::{Client, ErrorKind};
/// # #[tokio::main]
/// # async fn main() {
/// // No server listens there.
/// let error = Client::connect("127.0.0.1:1").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Connection);
/// assert!(error.to_string().starts_with("cannot connect to grpc://127.0.0.1:1: "));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    kind: ErrorKind,
    message: String,
    tries: u32,
    may_have_been_applied: bool,
    request_id: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            message: message.into(),
            tries: 0,
            may_have_been_applied: false,
            request_id: None,
            source: None,
        }))
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Validation, message)
    }

    /// The error of a reply that does not say whether the call was applied.
    pub(crate) fn bad_reply(reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, format!("bad reply: {reason}")).perhaps_applied(true)
    }

    /// The error of a status that the wire contract does not have.
    pub(crate) fn unknown_status(status: i32) -> Self {
        Self::bad_reply(format_args!("status {status} is not known"))
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Connection, "the client is closed")
    }

    /// Sets the source, and adds its text to the message.
    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.message = format!("{}: {source}", self.0.message);
        self.caused_by(source)
    }

    /// Sets the source, whose text is in the message already.
    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Records that the server may have applied the call or a part of it, in this try or an
    /// earlier one.
    pub(crate) fn perhaps_applied(mut self, perhaps: bool) -> Self {
        self.0.may_have_been_applied |= perhaps;
        self
    }

    /// Appends to the message.
    pub(crate) fn remark(mut self, words: &str) -> Self {
        self.0.message.push_str(words);
        self
    }

    /// Appends the size of the value, if the server had no room for it.
    pub(crate) fn with_size(self, bytes: usize) -> Self {
        if self.kind() != ErrorKind::ResourceExhausted || self.is_of_quota() {
            return self;
        }
        self.remark(&format!(" (the value has {bytes} bytes; stats has max_value_bytes)"))
    }

    /// Whether a quota of its namespace refused it. Its text names the setting then: as an item's
    /// error it has nothing but its text.
    fn is_of_quota(&self) -> bool {
        self.0.message.contains("CACHE_QUOTAS_PATH")
    }

    /// Whether its namespace was asked for too much in too short a time. A part of a batch would
    /// be refused as the whole was.
    pub(crate) fn is_of_rate(&self) -> bool {
        self.is_of_quota() && self.0.message.contains("quota requests_per_second=")
    }

    /// The error of a call that failed.
    pub(crate) fn of_failure(failure: Failure, server: &Address, tries: u32) -> Self {
        let mut message = match &failure {
            // Its text names the server.
            Failure::Connect(error) => error.to_string(),
            other => format!("{server}: {other}"),
        };
        if tries > 1 {
            message = format!("{message} (after {tries} tries)");
        }
        Self(Box::new(Details {
            kind: failure.kind(),
            message,
            tries,
            may_have_been_applied: failure.may_have_been_applied(),
            request_id: match &failure {
                Failure::Status(status) => status.request_id().map(str::to_owned),
                _ => None,
            },
            source: Some(Arc::new(failure)),
        }))
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// How often the call was tried; 0 if it was refused before anything was sent.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.0.tries
    }

    /// Whether the server may have applied the call although no reply says so, because a reply
    /// was lost or late, in this try or an earlier one. False if it certainly applied nothing.
    ///
    /// [`set_if_absent`] and [`compare_and_set`] are not repeated once this is true.
    ///
    /// [`set_if_absent`]: crate::Client::set_if_absent
    /// [`compare_and_set`]: crate::Client::compare_and_set
    #[must_use]
    pub fn may_have_been_applied(&self) -> bool {
        self.0.may_have_been_applied
    }

    /// The `x-request-id` of the reply, which names the call in the server's logs and traces;
    /// none without a reply.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A server's text, or a key, may have line breaks.
        for part in self.0.message.split_inclusive(char::is_control) {
            match part.char_indices().next_back() {
                Some((at, last)) if last.is_control() => {
                    write!(out, "{}{}", &part[..at], last.escape_default())?;
                }
                _ => out.write_str(part)?,
            }
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

macro_rules! validations {
    ($($cause:ty),+) => {$(
        impl From<$cause> for Error {
            fn from(error: $cause) -> Self {
                Self::validation(error.to_string()).caused_by(error)
            }
        }
    )+};
}

validations!(InvalidAddress, InvalidKey, InvalidNamespace, InvalidToken);
