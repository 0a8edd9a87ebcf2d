//! The kinds of errors that a caller may act on, and the kind of each gRPC status.

use tonic::Code;

/// What went wrong, as far as a caller may want to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client refused the call before it sent anything: a bad address, key, namespace, TTL
    /// or setting. The caller has to change it.
    Validation,
    /// The client could not make or keep a connection, the server takes no calls, or the client
    /// is closed.
    Connection,
    /// No reply came within the deadline.
    Timeout,
    /// The server refused the call as invalid.
    InvalidArgument,
    /// A value or a message is larger than the server accepts, or the cache has no room for it.
    ResourceExhausted,
    /// The server does not know this client: it wants a token or a certificate, or another one.
    Unauthenticated,
    /// The server knows this client, and does not allow it the call.
    PermissionDenied,
    /// The server does not implement the call.
    Unimplemented,
    /// The server failed, or sent something that is not a reply.
    Internal,
    /// The value is not UTF-8, but was to be read as text.
    NotText,
    /// The value is not JSON of the type that was asked for.
    #[cfg(feature = "json")]
    NotJson,
    /// Any other status.
    Other,
}

impl ErrorKind {
    pub(crate) fn of(code: Code) -> Self {
        match code {
            Code::Unavailable => Self::Connection,
            Code::DeadlineExceeded => Self::Timeout,
            Code::InvalidArgument => Self::InvalidArgument,
            // gRPC libraries answer either of them to a message that is too large.
            Code::ResourceExhausted | Code::OutOfRange => Self::ResourceExhausted,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PermissionDenied => Self::PermissionDenied,
            Code::Unimplemented => Self::Unimplemented,
            Code::Internal | Code::DataLoss | Code::Unknown => Self::Internal,
            Code::Ok
            | Code::Cancelled
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted => Self::Other,
        }
    }
}
