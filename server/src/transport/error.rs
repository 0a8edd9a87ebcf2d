//! Why a connection ended, or a stream of it.

use std::io;

use thiserror::Error;
use tiny_cache_http2 as http2;

/// Why a connection ended otherwise than by agreement.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    /// The preface did not come in time.
    #[error("no HTTP/2 preface within the handshake timeout")]
    Handshake,
    /// The peer broke the protocol or a bound; says our engine.
    #[error(transparent)]
    Engine(#[from] http2::ConnectionError),
    /// The peer broke the protocol, or the socket failed; says hyper.
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The stream was reset, or its connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost;
