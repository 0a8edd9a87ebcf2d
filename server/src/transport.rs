//! From a socket to requests: TLS, the HTTP/2 connection, and the way that its reads, writes and
//! handlers are run. Knows nothing of caches.

pub(crate) mod tls; // certificates, and what takes TLS connections
mod limits; // what a connection may take
mod engine; // one connection on our own HTTP/2 engine
mod by_hyper; // one connection on hyper's
mod incoming; // the body of a request, from either
mod farewell; // the moment for GOAWAY in a drain
mod lifetime; // the age of a connection, and its time without calls
mod retirement; // those that it ended
mod fault; // what went wrong, by kind
mod error;

pub use self::tls::TlsError;
pub(crate) use self::{
    by_hyper::serve,
    engine::{Answered, Answers, Arrival, Engine, ReplyTo, Turns, Unary},
    error::ConnectionError,
    fault::{Fault, Faults},
    incoming::Incoming,
    limits::{HEADER_LIST_BYTES, Limits, Peer, QUIET_TIMEOUT, STREAM_WINDOW_BYTES},
    retirement::Retirements,
};

#[cfg(test)]
mod tests;
