//! Whether a peer of a port with TLS speaks it. One that speaks plain HTTP is told so: its library
//! would otherwise say no more than that the connection was closed.

use std::{io, pin::Pin, time::Duration};

use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::server::TlsStream;

use crate::transport::tls::Port;

/// What a peer reads that spoke plain HTTP.
pub(super) const HTTPS_ONLY: &str =
    "This port speaks HTTPS alone (CACHE_HEALTH_TLS_ENABLED); use https://";

/// A peer that reads nothing of a reply for this long is cut off, so that it does not keep its
/// place from a probe.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The type of the first record of a TLS connection.
const HANDSHAKE: u8 = 22;

type Socket = Pin<Box<TimeoutStream<TcpStream>>>;

/// A peer by what it speaks.
pub(super) enum Greeted {
    Tls(Box<TlsStream<Socket>>),
    Plain(Socket),
}

/// Waits for the first byte, and shakes hands if it is one of TLS.
///
/// # Errors
/// When the peer is gone, or the handshake fails.
pub(super) async fn greet(socket: TcpStream, tls: &Port) -> io::Result<Greeted> {
    let mut first = [0];
    let bytes = socket.peek(&mut first).await?;
    let socket = with_timeout(socket);
    if bytes == 0 || first[0] == HANDSHAKE {
        return Ok(Greeted::Tls(Box::new(tls.accept_anyone(socket).await?)));
    }
    Ok(Greeted::Plain(socket))
}

/// The socket of a peer that must read what is written.
pub(super) fn with_timeout(socket: TcpStream) -> Socket {
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(WRITE_TIMEOUT));
    Box::pin(socket)
}
