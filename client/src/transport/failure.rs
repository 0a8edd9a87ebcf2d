//! Why a call has no reply, and whether the server may have executed it.

use std::{sync::Arc, time::Duration};

use h2::Reason;
use thiserror::Error;
use tiny_cache_proto::status::code_name;
use tonic::Code;

use super::{endpoint::ConnectError, status::GrpcStatus};
use crate::kind::ErrorKind;

/// Why a call has no reply.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The client could not connect.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The caller's deadline passed before there was a connection.
    #[error("no connection within {}", rounded(.0))]
    NoConnection(Duration),
    /// The caller's deadline passed.
    #[error("no reply within {}", rounded(.0))]
    Deadline(Duration),
    /// The connection had ended before the call could be sent.
    #[error("{}", lost_text(.0))]
    Unsent(#[source] Arc<h2::Error>),
    /// The connection broke, or the server ended the stream without a status.
    #[error("{}", lost_text(.0))]
    Lost(#[source] Arc<h2::Error>),
    /// The server, or a proxy before it, answered with a status other than OK.
    #[error("{}", .0.text())]
    Status(ServerStatus),
    /// The reply is malformed.
    #[error("bad reply: {0}")]
    BadReply(String),
    /// The reply is longer than the endpoint accepts.
    #[error("the reply has {bytes} bytes; max_reply_bytes allows {max}")]
    ReplyTooLong {
        /// Its length.
        bytes: usize,
        /// The largest that is accepted.
        max: usize,
    },
    /// The message, of this many bytes, is longer than gRPC can send.
    #[error("the message has {0} bytes; gRPC sends at most {max}", max = u32::MAX)]
    TooLong(usize),
}

/// Whether the server may have executed a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It has not: the call did not reach it, or was turned away before it was executed.
    NotExecuted,
    /// It may have been executed.
    Unknown,
}

/// A status other than OK.
#[derive(Clone, Debug)]
pub struct ServerStatus {
    pub(super) status: GrpcStatus,
    pub(super) request_id: Option<String>,
    pub(super) position: StatusPosition,
    /// Whether the server said that it did not execute the call, by [`NOT_EXECUTED`](tiny_cache_proto::NOT_EXECUTED).
    pub(super) not_executed: bool,
    pub(super) pushback: Option<Pushback>,
}

/// What the server says of the next try, by `grpc-retry-pushback-ms` (gRPC's proposal A6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// After this time, in place of the client's own pause.
    After(Duration),
    /// Not at all.
    Never,
}

impl Pushback {
    /// Reads the value of the field. A negative number, and whatever is none, says never.
    pub(super) fn read(value: &[u8]) -> Self {
        let millis = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok());
        millis.map_or(Self::Never, |millis| Self::After(Duration::from_millis(millis.into())))
    }
}

/// The position of the status in the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusPosition {
    /// In place of the message: in the headers, or in trailers without a message before them.
    InsteadOfMessage,
    /// In trailers behind a message: the sender of the message had executed the call.
    BehindMessage,
    /// Nowhere: it is derived from an HTTP status, since the sender does not speak gRPC.
    Http,
}

impl ServerStatus {
    /// The server's text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.status.message
    }

    /// The `x-request-id` of the reply.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    fn text(&self) -> String {
        match self.message() {
            "" => self.status.code.description().to_owned(),
            message => message.to_owned(),
        }
    }
}

impl Failure {
    /// Whether the server may have executed the call.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self {
            Self::Connect(_) | Self::NoConnection(_) | Self::Unsent(_) | Self::TooLong(_) => {
                Reach::NotExecuted
            }
            Self::Lost(error) if refused(error) => Reach::NotExecuted,
            // UNAVAILABLE alone proves nothing: a proxy also sends it after the server has
            // executed a call and the connection broke.
            Self::Status(status) if status.not_executed => Reach::NotExecuted,
            // Other refusals are not repeated anyway: the next try would get the same.
            Self::Status(_)
            | Self::Lost(_)
            | Self::Deadline(_)
            | Self::BadReply(_)
            | Self::ReplyTooLong { .. } => Reach::Unknown,
        }
    }

    /// Whether the server may have applied the call.
    pub(crate) fn may_have_been_applied(&self) -> bool {
        let refused = match self {
            Self::Status(ServerStatus { status, position, .. }) => {
                *position != StatusPosition::BehindMessage
                    && matches!(
                        status.code,
                        Code::InvalidArgument
                            | Code::ResourceExhausted
                            | Code::OutOfRange
                            | Code::PermissionDenied
                            | Code::Unauthenticated
                            | Code::Unimplemented
                    )
            }
            _ => false,
        };
        !refused && self.reach() == Reach::Unknown
    }

    /// A name for counters: that of the gRPC status, or of the failure that replaced it.
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

    /// The kind that the errors of a [`Client`](crate::Client) report for it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::of(self.code())
    }

    /// The gRPC status that corresponds to it.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Connect(_) | Self::Unsent(_) => Code::Unavailable,
            Self::NoConnection(_) | Self::Deadline(_) => Code::DeadlineExceeded,
            Self::Lost(error) => lost_code(error),
            Self::Status(status) => status.status.code,
            Self::BadReply(_) => Code::Internal,
            Self::TooLong(_) | Self::ReplyTooLong { .. } => Code::ResourceExhausted,
        }
    }

    /// Whether the peer has not processed the call: its stream lies beyond the last one of a
    /// GOAWAY, was reset with REFUSED_STREAM, or was never sent because the connection had ended.
    /// Any call can then be repeated over another connection at once. Proxies do this in normal
    /// operation, nginx after `keepalive_requests`.
    #[must_use]
    pub fn was_turned_away(&self) -> bool {
        match self {
            Self::Unsent(_) => true,
            Self::Lost(error) => refused(error),
            _ => false,
        }
    }

    /// What the server says of the next try, if it does.
    pub(crate) fn pushback(&self) -> Option<Pushback> {
        match self {
            Self::Status(status) => status.pushback,
            _ => None,
        }
    }

    /// Whether the connection failed, and not the server.
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

/// Whether the server has not processed the stream: REFUSED_STREAM (RFC 9113,
/// 8.7), or a GOAWAY whose last stream came before it (6.8). h2 gives the error of a peer's
/// GOAWAY to those streams alone; the others end as the connection does.
fn refused(error: &h2::Error) -> bool {
    error.is_remote()
        && (error.is_go_away()
            || (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM)))
}

/// "HTTP2 error code mapping" of gRPC's protocol description. Any error but a reset of the one
/// stream means that the connection broke.
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

/// A time in whole milliseconds: the rest of a total deadline has nanoseconds.
fn rounded(time: &Duration) -> String {
    match u64::try_from(time.as_nanos().div_ceil(1_000_000)) {
        Ok(millis) if millis > 1 => format!("{:?}", Duration::from_millis(millis)),
        _ => format!("{time:?}"),
    }
}

fn lost_text(error: &h2::Error) -> String {
    match error.get_io() {
        Some(error) => format!("the connection broke: {error}"),
        None if error.is_go_away() && error.is_remote() => "the server is going away".to_owned(),
        None => format!("the server ended the call: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pushback_is_a_time_or_never() {
        for (value, millis) in [("0", 0), ("150", 150), ("4294967295", u32::MAX)] {
            let pushback = Pushback::read(value.as_bytes());
            assert_eq!(pushback, Pushback::After(Duration::from_millis(millis.into())), "{value}");
        }
        for value in [&b"-1"[..], b"", b"soon", b"1.5", b"4294967296", b"\xff"] {
            assert_eq!(Pushback::read(value), Pushback::Never, "{value:?}");
        }
    }

    #[test]
    fn a_failure_is_counted_by_its_name_and_acted_on_by_its_kind() {
        let status = |code| {
            Failure::Status(ServerStatus {
                status: GrpcStatus { code, message: "why".to_owned() },
                request_id: None,
                position: StatusPosition::InsteadOfMessage,
                not_executed: false,
                pushback: None,
            })
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
