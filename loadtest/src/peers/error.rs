//! Why a call brought no answer that could be used.

use std::time::Duration;

use thiserror::Error;
use tiny_cache_client::{Error, ErrorKind, transport::Failure};

/// A call without an answer that could be used.
#[derive(Clone, Debug, Error)]
pub enum CallError {
    /// There was no reply, or one with a gRPC status other than OK.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The client library gave up, after its retries.
    #[error("{text}")]
    Library {
        /// The name to count it by.
        name: &'static str,
        /// What it said.
        text: String,
    },
    /// The reply came, with a status other than OK in its message.
    #[error("the reply's own status is {0}, not OK")]
    NotOk(i32),
    /// An item of a batch failed.
    #[error("an item of the batch failed: {0}")]
    Item(String),
    /// A batch came back with other items than were asked for.
    #[error("{asked} items were asked for, {answered} came back")]
    BatchSize {
        /// Items sent.
        asked: usize,
        /// Items in the reply.
        answered: usize,
    },
    /// The protocol of another system has no such key.
    #[error("{0}")]
    Key(String),
    /// There was no connection to a server of another system, or it broke.
    #[error("{0}")]
    Connection(String),
    /// A server of another system did not answer in time.
    #[error("no reply within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// A server of another system answered with an error.
    #[error("{text}")]
    Refused {
        /// The name to count it by.
        name: &'static str,
        /// What was said.
        text: String,
    },
    /// A server of another system sent what is no answer.
    #[error("bad reply: {0}")]
    BadReply(String),
}

impl CallError {
    /// The name to count it by.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Failed(failure) => failure.name(),
            Self::NotOk(_) => "REPLY_NOT_OK",
            Self::Item(_) => "ITEM_FAILED",
            Self::BatchSize { .. } | Self::BadReply(_) => "BAD_REPLY",
            Self::Key(_) => "BAD_KEY",
            Self::Connection(_) => "CONNECTION",
            Self::TimedOut(_) => "TIMED_OUT",
            Self::Refused { name, .. } | Self::Library { name, .. } => name,
        }
    }

    /// What happened, without the address where the error has one.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Failed(Failure::Connect(error)) => error.cause().to_owned(),
            other => other.to_string(),
        }
    }

    /// The name and what was said.
    pub(crate) fn named(&self) -> String {
        format!("{}: {self}", self.name())
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        let name = match error.kind() {
            ErrorKind::Validation | ErrorKind::InvalidArgument => "INVALID_ARGUMENT",
            ErrorKind::Connection => "UNAVAILABLE",
            ErrorKind::Timeout => "DEADLINE_EXCEEDED",
            ErrorKind::ResourceExhausted => "RESOURCE_EXHAUSTED",
            ErrorKind::Unauthenticated => "UNAUTHENTICATED",
            ErrorKind::PermissionDenied => "PERMISSION_DENIED",
            ErrorKind::Unimplemented => "UNIMPLEMENTED",
            _ => "INTERNAL",
        };
        Self::Library { name, text: error.to_string() }
    }
}

/// No connection could be made in time.
#[derive(Debug, Error)]
#[error("cannot reach {target} within {}: {cause}; check that it runs, and --target", humantime::format_duration(*patience))]
pub struct Unreachable {
    /// What was to be driven.
    pub target: String,
    /// How long it was tried.
    pub patience: Duration,
    /// What the last try found.
    pub cause: String,
}
