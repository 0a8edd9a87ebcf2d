//! A server's address and the route to it: TCP, TLS, or a stream that the caller makes. Knows
//! nothing of HTTP/2.

use std::{error::Error as StdError, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use rustls::{ClientConfig, pki_types::ServerName};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use tokio_rustls::TlsConnector;

use super::refusal;
use crate::address::Address;

/// A stream of bytes to and from a server.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Makes such a stream, for callers that do not use TCP.
pub(crate) type ConnectFn =
    Arc<dyn Fn() -> BoxFuture<'static, io::Result<Box<dyn Io>>> + Send + Sync>;

/// Resolves a host and port, for callers that do not use the system's resolver.
pub(crate) type ResolveFn =
    Arc<dyn Fn(&str, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// A server's address, the route to it, and the limits of the connection.
#[derive(Clone)]
pub struct Endpoint {
    address: Address,
    pub(crate) route: Route,
    /// None: the system's resolver.
    pub(crate) resolve: Option<ResolveFn>,
    pub(crate) connect_timeout: Duration,
    pub(super) max_reply_bytes: usize,
}

#[derive(Clone)]
pub(crate) enum Route {
    Tcp,
    Tls { config: Arc<ClientConfig>, server_name: ServerName<'static> },
    Custom(ConnectFn),
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Endpoint({})", self.address)
    }
}

impl Endpoint {
    /// The default of [`Endpoint::connect_timeout`].
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    /// The default of [`Endpoint::max_reply_bytes`]. More than a server sends unless it is set
    /// to values above 100 MiB, and little enough for a process to survive.
    pub const DEFAULT_MAX_REPLY_BYTES: usize = 256 << 20;

    /// An endpoint over plain TCP, even if the address asks for TLS; see [`Endpoint::tls`].
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            route: Route::Tcp,
            resolve: None,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            max_reply_bytes: Self::DEFAULT_MAX_REPLY_BYTES,
        }
    }

    /// Limits the time to connect, from resolving the name to the server's first HTTP/2 frame,
    /// for all addresses of the name together.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Limits the size of a reply.
    #[must_use]
    pub fn max_reply_bytes(mut self, bytes: usize) -> Self {
        self.max_reply_bytes = bytes;
        self
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The same route to one of the addresses of its name.
    pub(crate) fn to_socket(&self, socket: SocketAddr) -> Self {
        let address = Address::of_socket(socket, matches!(self.route, Route::Tls { .. }));
        Self { address, resolve: None, ..self.clone() }
    }

    /// The scheme of its requests' URIs.
    pub(super) fn scheme(&self) -> &'static str {
        if matches!(self.route, Route::Tls { .. }) { "https" } else { "http" }
    }

    /// Resolves the host. Not cached: every connection finds the server's current addresses.
    /// None if the caller makes the stream.
    pub(crate) async fn look_up(&self) -> Result<Option<Vec<SocketAddr>>, Cause> {
        if matches!(self.route, Route::Custom(_)) {
            return Ok(None);
        }
        let (host, port) = (self.address.server_name(), self.address.port());
        let addresses: Vec<_> = match &self.resolve {
            Some(resolve) => resolve(host, port).await.map_err(Cause::new)?,
            None => lookup_host((host, port)).await.map_err(Cause::new)?.collect(),
        };
        if addresses.is_empty() {
            return Err(Cause::new(format!("`{host}` has no address")));
        }
        Ok(Some(addresses))
    }

    /// Opens a stream to one of the server's addresses, or the caller's own.
    pub(super) async fn dial(&self, to: Option<SocketAddr>) -> Result<Box<dyn Io>, Cause> {
        match (&self.route, to) {
            (Route::Custom(connect), _) => connect().await.map_err(Cause::new),
            (_, None) => Err(Cause::new("the server has no address")),
            (Route::Tcp, Some(to)) => Ok(Box::new(tcp(to).await?)),
            (Route::Tls { config, server_name }, Some(to)) => {
                handshake(tcp(to).await?, config, server_name).await
            }
        }
    }

    /// The error of a failed attempt to connect.
    pub(crate) fn failed(&self, cause: impl Into<Cause>) -> ConnectError {
        let Cause { text, error: source } = cause.into();
        ConnectError { address: self.address.clone(), text, source }
    }
}

async fn tcp(to: SocketAddr) -> Result<TcpStream, Cause> {
    let stream = TcpStream::connect(to).await.map_err(Cause::new)?;
    stream.set_nodelay(true).map_err(Cause::new)?;
    Ok(stream)
}

async fn handshake(
    stream: TcpStream,
    config: &Arc<ClientConfig>,
    server_name: &ServerName<'static>,
) -> Result<Box<dyn Io>, Cause> {
    let stream = TlsConnector::from(config.clone())
        .connect(server_name.clone(), stream)
        .await
        .map_err(Cause::of_io)?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Cause::new("the server does not offer HTTP/2 over TLS (ALPN)"));
    }
    Ok(Box::new(stream))
}

/// Why connecting to an address failed.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    text: String,
    error: Arc<dyn StdError + Send + Sync>,
}

impl Cause {
    /// Its text is that of the last error of the chain, which is the system's own.
    pub(super) fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let error: Arc<dyn StdError + Send + Sync> = Arc::from(error.into());
        let mut root: &dyn StdError = error.as_ref();
        while let Some(cause) = root.source() {
            root = cause;
        }
        Self { text: root.to_string(), error }
    }

    /// The cause of a stream that broke, which may be TLS.
    pub(super) fn of_io(error: io::Error) -> Self {
        match refusal::words(&error) {
            Some(text) => Self { text, error: Arc::new(error) },
            None => Self::new(error),
        }
    }

    /// Combines the causes of all addresses. Names each address, unless all causes are equal.
    pub(super) fn of_all(mut causes: Vec<(SocketAddr, Self)>) -> Self {
        /// Most causes that an error lists.
        const LISTED: usize = 4;
        let Some((_, first)) = causes.first() else {
            return Self::new("the server has no address");
        };
        let text = first.text.clone();
        if causes.iter().all(|(_, cause)| cause.text == text) {
            return causes.swap_remove(0).1;
        }
        let listed = causes.iter().take(LISTED);
        let mut texts: Vec<_> =
            listed.map(|(address, cause)| format!("{address}: {cause}")).collect();
        if causes.len() > LISTED {
            texts.push(format!("and {} more addresses", causes.len() - LISTED));
        }
        Self::new(texts.join("; "))
    }
}

impl From<&'static str> for Cause {
    fn from(text: &'static str) -> Self {
        Self::new(text)
    }
}

impl From<http::Error> for Cause {
    fn from(error: http::Error) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// A connection could not be made.
#[derive(Clone, Debug, Error)]
#[error("cannot connect to {address}: {text}")]
pub struct ConnectError {
    address: Address,
    text: String,
    source: Arc<dyn StdError + Send + Sync>,
}

impl ConnectError {
    /// The cause, without the server's address.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.text
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(texts: &[&'static str]) -> Cause {
        let cause = |(n, text): (usize, &&'static str)| {
            (SocketAddr::from(([10, 0, 0, u8::try_from(n).unwrap()], 7)), Cause::new(*text))
        };
        Cause::of_all(texts.iter().enumerate().map(cause).collect())
    }

    #[test]
    fn addresses_are_named_where_they_failed_in_different_ways() {
        assert_eq!(causes(&["refused", "refused"]).to_string(), "refused");
        assert_eq!(causes(&["refused"]).to_string(), "refused");
        let text = causes(&["refused", "silent"]).to_string();
        assert_eq!(text, "10.0.0.0:7: refused; 10.0.0.1:7: silent");
        let text = causes(&["a", "b", "c", "d", "e", "f"]).to_string();
        assert!(text.ends_with("10.0.0.3:7: d; and 2 more addresses"), "{text}");
    }
}
