//! Why a call brought no answer. The one place where a gRPC status gets its name.

use std::time::Duration;

use thiserror::Error;
use tonic::{Code, Status};

/// A call without an answer that could be used.
#[derive(Clone, Debug, Error)]
#[error("{}: {message}", kind.name())]
pub struct CallError {
    /// What errors are counted by.
    pub kind: ErrorKind,
    /// What the server or the transport said.
    pub message: String,
}

impl CallError {
    /// The call was given up after `timeout`.
    #[must_use]
    pub fn timed_out(timeout: Duration) -> Self {
        let message = format!("no reply within {}", humantime::format_duration(timeout));
        Self { kind: ErrorKind::TimedOut, message }
    }

    /// The reply came, with a status other than OK in it.
    #[must_use]
    pub fn refused(status: i32) -> Self {
        Self {
            kind: ErrorKind::Refused,
            message: format!("the reply's own status is {status}, not OK"),
        }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let message = match root_cause(&status) {
            Some(cause) => format!("{} ({cause})", status.message()),
            None => status.message().to_owned(),
        };
        Self { kind: ErrorKind::Status(status.code()), message }
    }
}

/// The last error of a chain, which says what happened in the system's own words.
pub(super) fn root_cause(error: &dyn std::error::Error) -> Option<String> {
    let mut causes = std::iter::successors(error.source(), |cause| cause.source());
    let first = causes.next()?;
    Some(causes.last().unwrap_or(first).to_string())
}

/// What errors are counted by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// This side's own deadline passed.
    TimedOut,
    /// A gRPC status other than OK.
    Status(Code),
    /// A reply whose message says that it failed.
    Refused,
}

impl ErrorKind {
    /// The name to report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TimedOut => "TIMED_OUT",
            Self::Refused => "REPLY_NOT_OK",
            Self::Status(code) => match code {
                Code::Ok => "OK",
                Code::Cancelled => "CANCELLED",
                Code::Unknown => "UNKNOWN",
                Code::InvalidArgument => "INVALID_ARGUMENT",
                Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
                Code::NotFound => "NOT_FOUND",
                Code::AlreadyExists => "ALREADY_EXISTS",
                Code::PermissionDenied => "PERMISSION_DENIED",
                Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
                Code::FailedPrecondition => "FAILED_PRECONDITION",
                Code::Aborted => "ABORTED",
                Code::OutOfRange => "OUT_OF_RANGE",
                Code::Unimplemented => "UNIMPLEMENTED",
                Code::Internal => "INTERNAL",
                Code::Unavailable => "UNAVAILABLE",
                Code::DataLoss => "DATA_LOSS",
                Code::Unauthenticated => "UNAUTHENTICATED",
            },
        }
    }
}
