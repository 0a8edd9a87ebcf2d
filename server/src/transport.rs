//! From a socket to HTTP requests: TLS, the HTTP/2 connection, and the way that its writes
//! and its handlers are run. Knows nothing of caches; any tower-like service will do.

mod authority;
mod blocks;
mod connection;
mod farewell;
mod fault;
mod frames;
mod gather;
mod huffman;
mod in_place;
mod streams;
pub(crate) mod tls;

pub use self::{
    connection::{ConnectionError, Limits, Peer, serve},
    fault::Faults,
    tls::TlsError,
};
pub(crate) use self::{
    connection::{HEADER_LIST_BYTES, QUIET_TIMEOUT, STREAM_WINDOW_BYTES},
    fault::Fault,
};
