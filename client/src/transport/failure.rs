//! Why a call brought no answer, and what the server can have made of it.

use std::{sync::Arc, time::Duration};

use h2::Reason;
use thiserror::Error;
use tonic::Code;

use super::{endpoint::ConnectError, status::GrpcStatus};
use crate::error::{self, ErrorKind};

/// A call without an answer.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Failure {
    /// There was no connection to send it over.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The caller's own time for it was over before there was a connection.
    #[error("no connection within {}", rounded(.0))]
    NoConnection(Duration),
    /// The caller's own time for it was over.
    #[error("no reply within {}", rounded(.0))]
    Deadline(Duration),
    /// The connection had ended before the call could be sent.
    #[error("{}", lost_text(.0))]
    Unsent(#[source] Arc<h2::Error>),
    /// The connection broke, or the server ended the stream without a status.
    #[error("{}", lost_text(.0))]
    Lost(#[source] Arc<h2::Error>),
    /// The server, or something before it, answered with a status other than OK.
    #[error("{}", .0.text())]
    Status(ServerStatus),
    /// What came back is no answer.
    #[error("bad reply: {0}")]
    BadReply(String),
    /// The reply is longer than the endpoint takes.
    #[error("the reply has {bytes} bytes; max_reply_bytes allows {max}")]
    ReplyTooLong {
        /// Its length.
        bytes: usize,
        /// What is taken.
        max: usize,
    },
    /// The message is longer than gRPC can send, by its bytes.
    #[error("the message has {0} bytes; gRPC sends at most {max}", max = u32::MAX)]
    TooLong(usize),
}

/// What the server can have made of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: it never got there, or it was turned away before anything was done.
    NotExecuted,
    /// It may have been executed.
    Unknown,
}

/// A status other than OK.
#[derive(Clone, Debug)]
pub struct ServerStatus {
    code: Code,
    message: String,
    request_id: Option<String>,
    place: Place,
    /// Whether the server said so, by [`NOT_EXECUTED`](tiny_cache_proto::NOT_EXECUTED).
    not_executed: bool,
}

/// Where in the reply it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Where the message would be: in the headers, or in trailers with nothing before them.
    InsteadOfMessage,
    /// In trailers behind a message: whoever sent that had executed the call.
    BehindMessage,
    /// It is what gRPC makes of an HTTP status: whoever answered does not know gRPC.
    Http,
}

impl ServerStatus {
    pub(super) fn new(
        status: GrpcStatus,
        request_id: Option<String>,
        place: Place,
        not_executed: bool,
    ) -> Self {
        let GrpcStatus { code, message } = status;
        Self { code, message, request_id, place, not_executed }
    }

    /// What the server said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The `x-request-id` of the reply.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    fn text(&self) -> String {
        if self.message.is_empty() {
            self.code.description().to_owned()
        } else {
            self.message.clone()
        }
    }
}

impl Failure {
    /// What the server can have made of the call.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self {
            Self::Connect(_) | Self::NoConnection(_) | Self::Unsent(_) | Self::TooLong(_) => {
                Reach::NotExecuted
            }
            Self::Lost(error) if refused(error) => Reach::NotExecuted,
            // UNAVAILABLE alone says nothing: a proxy answers it, too, after the server has
            // executed a call and was lost.
            Self::Status(status) if status.not_executed => Reach::NotExecuted,
            // A status of refusal says as much, but not that the next try fares better.
            Self::Status(_)
            | Self::Lost(_)
            | Self::Deadline(_)
            | Self::BadReply(_)
            | Self::ReplyTooLong { .. } => Reach::Unknown,
        }
    }

    /// Whether the server may have done what was asked.
    pub(crate) fn may_have_been_applied(&self) -> bool {
        let refused = matches!(
            self,
            Self::Status(ServerStatus {
                code: Code::InvalidArgument
                    | Code::ResourceExhausted
                    | Code::OutOfRange
                    | Code::PermissionDenied
                    | Code::Unauthenticated
                    | Code::Unimplemented,
                place: Place::InsteadOfMessage | Place::Http,
                ..
            })
        );
        !refused && self.reach() == Reach::Unknown
    }

    /// A name to count by: that of the gRPC status, or of what happened in its place.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoConnection(_) | Self::Deadline(_) => "TIMED_OUT",
            Self::TooLong(_) => "TOO_LONG",
            Self::ReplyTooLong { .. } => "REPLY_TOO_LONG",
            Self::BadReply(_) => "BAD_REPLY",
            Self::Connect(_) | Self::Unsent(_) | Self::Lost(_) | Self::Status(_) => {
                code_name(self.code())
            }
        }
    }

    /// What went wrong, as the errors of a [`Client`](crate::Client) tell it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        error::kind(self.code())
    }

    /// The gRPC status that stands for it.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Connect(_) | Self::Unsent(_) => Code::Unavailable,
            Self::NoConnection(_) | Self::Deadline(_) => Code::DeadlineExceeded,
            Self::Lost(error) => lost_code(error),
            Self::Status(status) => status.code,
            Self::BadReply(_) => Code::Internal,
            Self::TooLong(_) | Self::ReplyTooLong { .. } => Code::ResourceExhausted,
        }
    }

    /// Whether the peer says that it has not processed the call: the call's stream lies beyond
    /// the last one of a GOAWAY, was reset with REFUSED_STREAM, or was never sent since the
    /// connection had ended. It can be made anew over another connection at once, whatever it
    /// does. Proxies do this in the course of their work, nginx after `keepalive_requests`.
    #[must_use]
    pub fn was_turned_away(&self) -> bool {
        match self {
            Self::Unsent(_) => true,
            Self::Lost(error) => refused(error),
            _ => false,
        }
    }

    /// Whether it came from the connection, not from the server's mouth.
    pub(crate) fn is_connection_lost(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::NoConnection(_) | Self::Unsent(_) | Self::Lost(_))
    }

    pub(super) fn unsent(error: h2::Error) -> Self {
        Self::Unsent(Arc::new(error))
    }

    pub(super) fn lost(error: h2::Error) -> Self {
        Self::Lost(Arc::new(error))
    }
}

/// Whether the server says that it has not looked at the stream: REFUSED_STREAM (RFC 9113,
/// 8.7), or a GOAWAY whose last stream came before it (6.8). h2 gives the error of a peer's
/// GOAWAY to those streams alone; the others end as the connection does.
fn refused(error: &h2::Error) -> bool {
    error.is_remote()
        && (error.is_go_away()
            || (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM)))
}

/// "HTTP2 error code mapping" of gRPC's protocol description. What is not a reset of the
/// one stream is a connection that broke.
fn lost_code(error: &h2::Error) -> Code {
    if !error.is_reset() {
        return Code::Unavailable;
    }
    match error.reason() {
        Some(Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(Reason::CANCEL) => Code::Cancelled,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        _ => Code::Internal,
    }
}

/// A time in whole milliseconds: what is left of a total deadline is an odd number.
fn rounded(time: &Duration) -> String {
    if *time < Duration::from_millis(1) {
        return format!("{time:?}");
    }
    let millis = time.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).map_or_else(
        |_| format!("{time:?}"),
        |millis| format!("{:?}", Duration::from_millis(millis)),
    )
}

fn lost_text(error: &h2::Error) -> String {
    match error.get_io() {
        Some(error) => format!("the connection broke: {error}"),
        None if error.is_go_away() && error.is_remote() => "the server is going away".to_owned(),
        None => format!("the server ended the call: {error}"),
    }
}

fn code_name(code: Code) -> &'static str {
    match code {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_counted_by_its_name_and_acted_on_by_its_kind() {
        let status = |code| {
            let status = GrpcStatus { code, message: "why".to_owned() };
            Failure::Status(ServerStatus::new(status, None, Place::InsteadOfMessage, false))
        };
        for (failure, name, kind) in [
            (Failure::Deadline(Duration::from_secs(1)), "TIMED_OUT", ErrorKind::Timeout),
            (Failure::TooLong(1 << 32), "TOO_LONG", ErrorKind::ResourceExhausted),
            (Failure::BadReply("half".to_owned()), "BAD_REPLY", ErrorKind::Internal),
            (Failure::lost(h2::Error::from(Reason::CANCEL)), "UNAVAILABLE", ErrorKind::Connection),
            (status(Code::Unimplemented), "UNIMPLEMENTED", ErrorKind::Unimplemented),
            (status(Code::NotFound), "NOT_FOUND", ErrorKind::Other),
        ] {
            assert_eq!((failure.name(), failure.kind()), (name, kind), "{failure}");
        }
    }
}
