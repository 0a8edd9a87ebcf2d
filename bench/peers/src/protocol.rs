//! The wire protocols, without sockets: requests become bytes, bytes become answered requests.
//!
//! Each reply is checked for its kind, its status and its length; of every [`SAMPLED`]th the
//! content is compared, too. A reply that is not the one expected is a [`Fault`], and ends the
//! measurement of its server: no error is counted as an operation.

// HTTP/2.
mod grpc;
mod message;
mod reply_heads;
mod request_heads;

// Text.
mod lines;
mod memcached;
mod pipeline;
mod redis;

use std::{error::Error, fmt};

use self::{
    grpc::{Dialect, Grpc},
    memcached::Memcached,
    pipeline::Pipeline,
    redis::Redis,
};
use crate::work::{Operation, Value};

/// One in so many replies is compared byte by byte.
pub const SAMPLED: u64 = 64;

/// A request that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What it asks for.
    pub operation: Operation,
    /// The numbers of its keys.
    pub keys: &'a [u32],
    /// When it is due, in nanoseconds of the load's clock. It comes back with the answer.
    pub due: u64,
}

/// Why a connection cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl Fault {
    /// What was expected, and the first bytes of what came.
    pub(crate) fn unexpected(expected: &str, came: &[u8]) -> Self {
        let start = &came[..came.len().min(80)];
        Self(format!("expected {expected}, and got {:?}", start.escape_ascii().to_string()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Fault {}

/// One connection's end of a protocol.
pub trait Protocol: fmt::Debug {
    /// Appends what opens a connection.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Appends a request, or keeps it until the server's flow control lets it go.
    fn send(&mut self, request: Request<'_>, out: &mut Vec<u8>);

    /// Takes what is complete of `input`, and returns how many bytes that were. Appends to
    /// `answered` when each answered request was due, and to `out` what the protocol has to say.
    ///
    /// # Errors
    ///
    /// A reply is not the one expected, or the server broke off.
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        answered: &mut Vec<u64>,
    ) -> Result<usize, Fault>;
}

/// Which protocol a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// The contract of `proto/cache.proto`, over HTTP/2.
    Grpc,
    /// The same, with a token.
    GrpcWithToken,
    /// The same, with Read of `proto/tinycache.proto` in place of Get.
    GrpcSecond,
    /// RESP 2.
    Redis,
    /// The meta commands.
    Memcached,
}

impl Wire {
    /// The client's end of a new connection.
    pub fn client(self, value: Value, tls: bool) -> Box<dyn Protocol> {
        match self {
            Self::Grpc => Box::new(Grpc::new(value, tls, Dialect::Plain)),
            Self::GrpcWithToken => Box::new(Grpc::new(value, tls, Dialect::Token)),
            Self::GrpcSecond => Box::new(Grpc::new(value, tls, Dialect::Second)),
            Self::Redis => Box::new(Pipeline::new(Redis::new(value))),
            Self::Memcached => Box::new(Pipeline::new(Memcached::new(value))),
        }
    }
}
