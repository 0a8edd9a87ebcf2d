//! What a caller learns when a call does not succeed. The one place where a failure gets its
//! kind and its words.

use std::{error::Error as StdError, fmt, sync::Arc};

use tiny_cache_proto::key::{InvalidKey, InvalidNamespace};
use tonic::Code;

use crate::{Address, InvalidAddress, transport::Failure};

/// The result of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call did not succeed. Its text is one line that needs no other.
///
/// A miss is no error, nor is a condition that was not met.
///
/// ```
/// # use tiny_cache_client::{Client, ErrorKind};
/// # #[tokio::main]
/// # async fn main() {
/// // Nothing listens there.
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

/// What went wrong, as far as a caller may want to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call was refused here, before anything was sent: a bad address, key, namespace,
    /// TTL or setting. It is the caller's to mend.
    Validation,
    /// No connection could be made or kept, the server is not taking calls, or the client
    /// was closed.
    Connection,
    /// No reply within the deadline.
    Timeout,
    /// The server refused the call as wrong.
    InvalidArgument,
    /// A value or a message is larger than the server takes, or the cache has no room for it.
    ResourceExhausted,
    /// The server does not know this client, or does not let it.
    PermissionDenied,
    /// The server does not know this call.
    Unimplemented,
    /// The server failed, or what it sent is no reply.
    Internal,
    /// The value that was to be read as text is not UTF-8.
    NotText,
    /// Any other status.
    Other,
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

    /// A reply that does not say what became of the call.
    pub(crate) fn bad_reply(reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, format!("bad reply: {reason}")).perhaps_applied(true)
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Connection, "the client is closed")
    }

    /// Adds the error behind this one, and its text to the message.
    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.message = format!("{}: {source}", self.0.message);
        self.caused_by(source)
    }

    /// Adds the error behind this one, whose text the message has already.
    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Says that the server may have done what was asked, or a part of it, in this or an
    /// earlier try.
    pub(crate) fn perhaps_applied(mut self, perhaps: bool) -> Self {
        self.0.may_have_been_applied |= perhaps;
        self
    }

    /// Puts more words behind the message.
    pub(crate) fn remark(mut self, words: &str) -> Self {
        self.0.message.push_str(words);
        self
    }

    /// A call that failed, with the server that it was for.
    pub(crate) fn of_failure(failure: Failure, server: &Address, tries: u32) -> Self {
        let mut message = match &failure {
            // It names the server itself.
            Failure::Connect(error) => error.to_string(),
            other => format!("{server}: {other}"),
        };
        if tries > 1 {
            message.push_str(&format!(" (after {tries} tries)"));
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

    /// How often the call was tried, 0 if it was refused before anything was sent.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.0.tries
    }

    /// Whether the server may have done what was asked, although it did not say so: the reply
    /// was lost or late, be it that of an earlier try. False where it is certain that nothing
    /// was done.
    ///
    /// Matters for [`set_if_absent`] and [`compare_and_set`], which are not repeated then.
    ///
    /// [`set_if_absent`]: crate::Client::set_if_absent
    /// [`compare_and_set`]: crate::Client::compare_and_set
    #[must_use]
    pub fn may_have_been_applied(&self) -> bool {
        self.0.may_have_been_applied
    }

    /// The `x-request-id` of the reply, by which the server's logs and traces name the call;
    /// none where there was no reply.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }
}

/// The one mapping from what gRPC says.
pub(crate) fn kind(code: Code) -> ErrorKind {
    match code {
        Code::Unavailable => ErrorKind::Connection,
        Code::DeadlineExceeded => ErrorKind::Timeout,
        Code::InvalidArgument => ErrorKind::InvalidArgument,
        // What gRPC libraries answer to a message that is too large.
        Code::ResourceExhausted | Code::OutOfRange => ErrorKind::ResourceExhausted,
        Code::PermissionDenied | Code::Unauthenticated => ErrorKind::PermissionDenied,
        Code::Unimplemented => ErrorKind::Unimplemented,
        Code::Internal | Code::DataLoss | Code::Unknown => ErrorKind::Internal,
        Code::Ok
        | Code::Cancelled
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted => ErrorKind::Other,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a server says, or a key that is named, may have line breaks.
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

impl From<InvalidAddress> for Error {
    fn from(error: InvalidAddress) -> Self {
        Self::validation(error.to_string()).caused_by(error)
    }
}

impl From<InvalidKey> for Error {
    fn from(error: InvalidKey) -> Self {
        Self::validation(error.to_string()).caused_by(error)
    }
}

impl From<InvalidNamespace> for Error {
    fn from(error: InvalidNamespace) -> Self {
        Self::validation(error.to_string()).caused_by(error)
    }
}
