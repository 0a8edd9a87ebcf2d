//! Binds the two addresses and accepts on them. A bind that fails ends the start with one line.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
    time::Duration,
};

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use thiserror::Error;
use tokio::time::sleep;
use tracing::warn;

/// Connections that the kernel keeps for us between two accepts.
pub(crate) const BACKLOG: i32 = 4096;

/// Pause after a failed accept. The process is out of descriptors or memory then: without a
/// pause the loop would spin, and the kernel keeps the connections meanwhile.
pub(crate) const BACK_OFF: Duration = Duration::from_millis(100);

/// An address that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {host}:{port} ({host_variable}, {port_variable}): {source}")]
pub struct BindError {
    host: String,
    port: u16,
    host_variable: &'static str,
    port_variable: &'static str,
    source: io::Error,
}

/// Binds the gRPC address.
///
/// # Errors
/// [`BindError`], which names the address and the variables.
pub(crate) fn grpc(host: &str, port: u16) -> Result<TcpListener, BindError> {
    bind(host, port).map_err(|source| BindError {
        host: host.to_owned(),
        port,
        host_variable: "CACHE_HOST",
        port_variable: "CACHE_PORT",
        source,
    })
}

/// Binds the HTTP address.
///
/// # Errors
/// [`BindError`], which names the address and the variables.
pub(crate) fn http(host: &str, port: u16) -> Result<TcpListener, BindError> {
    bind(host, port).map_err(|source| BindError {
        host: host.to_owned(),
        port,
        host_variable: "CACHE_HEALTH_HOST",
        port_variable: "CACHE_HEALTH_PORT",
        source,
    })
}

/// Waits for one connection on `port`, and retries when accept fails.
///
/// # Errors
/// When the listener itself is gone, which no retry mends.
pub(crate) async fn next(
    listener: &tokio::net::TcpListener,
    port: &str,
) -> io::Result<tokio::net::TcpStream> {
    loop {
        let error = match listener.accept().await {
            Ok((socket, _peer)) => return Ok(socket),
            Err(error) => error,
        };
        match Errno::from_io_error(&error) {
            // The peer gave up while it waited in the queue.
            Some(Errno::CONNABORTED) => {}
            // No socket, or one that no longer listens.
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK) => return Err(error),
            _ => {
                warn!(%error, port, pause = ?BACK_OFF, "cannot accept connections");
                sleep(BACK_OFF).await;
            }
        }
    }
}

fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    let address = resolve(host, port)?;
    match listen(address) {
        // A host without IPv6 has no socket of that family, or no such address.
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && lacks_ipv6(&error) => {
            warn!(%error, "this host has no IPv6; listening on IPv4 alone");
            listen((Ipv4Addr::UNSPECIFIED, port).into())
        }
        result => result,
    }
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok((ip, port).into());
    }
    (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT | Errno::OPNOTSUPP | Errno::NOSYS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_brackets() {
        for (host, expected) in [
            ("[::]", "[::]:7"),
            ("::", "[::]:7"),
            ("[::1]", "[::1]:7"),
            ("127.0.0.1", "127.0.0.1:7"),
        ] {
            assert_eq!(resolve(host, 7).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_taken_port_is_named_with_its_variables() {
        let first = grpc("127.0.0.1", 0).unwrap();
        let port = first.local_addr().unwrap().port();
        let error = grpc("127.0.0.1", port).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on 127.0.0.1:{port} (CACHE_HOST, ")));
    }

    /// It was tried again ten times a second, for ever.
    #[tokio::test]
    async fn a_listener_that_is_shut_down_fails_for_good() {
        let listener = bind("127.0.0.1", 0).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let shut = socket2::SockRef::from(&listener).shutdown(std::net::Shutdown::Both);
        shut.unwrap();
        assert_eq!(next(&listener, "gRPC").await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_wildcard_takes_ipv4_too() {
        let listener = bind("[::]", 0).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
