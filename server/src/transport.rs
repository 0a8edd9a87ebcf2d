//! From a socket to HTTP requests: TLS, the HTTP/2 connection, and the way that its writes
//! and its handlers are run. Knows nothing of caches; any tower-like service will do.

mod connection;
mod fault;
mod gather;
mod in_place;
pub(crate) mod tls;

pub(crate) use self::{
    connection::STREAM_WINDOW_BYTES,
    fault::{Fault, Faults},
};
pub use self::{
    connection::{ConnectionError, Limits, serve},
    tls::TlsError,
};
