//! An address that refuses connections.

use std::{
    io,
    net::{TcpListener, TcpStream},
};

/// An address where nothing listens. Its port is that of the other side of a connection, so that
/// nothing can begin to listen there while this is kept.
#[derive(Debug)]
pub struct Nowhere {
    address: String,
    _held: (TcpListener, TcpStream),
}

impl Nowhere {
    /// Takes a port of the loopback address.
    ///
    /// # Errors
    ///
    /// Fails if no port is free.
    pub fn find() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        Ok(Self { address: stream.local_addr()?.to_string(), _held: (listener, stream) })
    }

    /// The address, as `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}
