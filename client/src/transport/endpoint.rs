//! Where a server is and how its bytes get there and back: TCP, TLS, or a way of the
//! caller's own. Knows nothing of HTTP/2.

use std::{error::Error as StdError, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use tokio_rustls::TlsConnector;

use crate::{Address, Tls, error::Error};

/// A stream of bytes to and from a server.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Makes such a stream in a way of the caller's own.
pub(crate) type ConnectFn =
    Arc<dyn Fn() -> BoxFuture<'static, io::Result<Box<dyn Io>>> + Send + Sync>;

/// Looks a host and port up in a way of the caller's own.
pub(crate) type ResolveFn =
    Arc<dyn Fn(&str, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Where a server is, how to get there, and what is expected of the connection.
#[derive(Clone)]
pub struct Endpoint {
    address: Address,
    way: Way,
    /// None: the system's resolver.
    resolve: Option<ResolveFn>,
    connect_timeout: Duration,
    pub(super) max_reply_bytes: usize,
}

#[derive(Clone)]
enum Way {
    Tcp,
    Tls { config: Arc<ClientConfig>, server_name: ServerName<'static> },
    Own(ConnectFn),
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Endpoint({})", self.address)
    }
}

impl Endpoint {
    /// How long a connection may take to be there.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    /// The largest reply that is taken. Far beyond what a server sends that was not set to
    /// values of more than 100 MiB, and still something that a process survives.
    pub const DEFAULT_MAX_REPLY_BYTES: usize = 256 << 20;

    /// A server that is reached over TCP, without TLS whatever the address says; see
    /// [`Endpoint::tls`].
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            way: Way::Tcp,
            resolve: None,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            max_reply_bytes: Self::DEFAULT_MAX_REPLY_BYTES,
        }
    }

    /// Speaks TLS with the server.
    ///
    /// # Errors
    ///
    /// The certificates or the server's name cannot be used.
    pub fn tls(mut self, tls: &Tls) -> Result<Self, Error> {
        let (config, server_name) = tls.config(self.address.server_name(), &[b"h2"])?;
        self.way = Way::Tls { config, server_name };
        Ok(self)
    }

    pub(crate) fn connect_with(mut self, connect: ConnectFn) -> Self {
        self.way = Way::Own(connect);
        self
    }

    pub(crate) fn resolve_with(mut self, resolve: ResolveFn) -> Self {
        self.resolve = Some(resolve);
        self
    }

    /// Gives a connection this long to be there, from the look-up of the name to the server's
    /// first HTTP/2 frame, all addresses of the name together.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a connection may take to be there.
    pub(crate) fn time_to_connect(&self) -> Duration {
        self.connect_timeout
    }

    /// Takes replies up to this size.
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

    /// The scheme of its requests' URIs.
    pub(super) fn scheme(&self) -> &'static str {
        if matches!(self.way, Way::Tls { .. }) { "https" } else { "http" }
    }

    /// Looks the host up; never cached here, so that every connection finds the server where
    /// it is now. None where the caller connects in a way of its own.
    pub(super) async fn look_up(&self) -> Result<Option<Vec<SocketAddr>>, Cause> {
        if matches!(self.way, Way::Own(_)) {
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

    /// Opens a stream to one of the server's addresses, or in the caller's own way.
    pub(super) async fn dial(&self, to: Option<SocketAddr>) -> Result<Box<dyn Io>, Cause> {
        match (&self.way, to) {
            (Way::Own(connect), _) => connect().await.map_err(Cause::new),
            (_, None) => Err(Cause::new("the server has no address")),
            (Way::Tcp, Some(to)) => Ok(Box::new(tcp(to).await?)),
            (Way::Tls { config, server_name }, Some(to)) => {
                handshake(tcp(to).await?, config, server_name).await
            }
        }
    }

    /// The error of a connection that did not come about.
    pub(crate) fn failed(&self, cause: impl Into<Cause>) -> ConnectError {
        ConnectError { address: self.address.clone(), cause: cause.into() }
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
        .map_err(Cause::new)?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Cause::new("the server does not offer HTTP/2 over TLS (ALPN)"));
    }
    Ok(Box::new(stream))
}

/// Why one address did not become a connection.
#[derive(Clone, Debug)]
pub(crate) struct Cause(Arc<dyn StdError + Send + Sync>);

impl Cause {
    pub(super) fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }

    /// The last error of the chain, which says what happened in the system's own words.
    fn root(&self) -> String {
        let mut error: &dyn StdError = self.0.as_ref();
        while let Some(cause) = error.source() {
            error = cause;
        }
        error.to_string()
    }

    /// The causes of all addresses as one. Each address is named, unless all say the same.
    pub(super) fn of_all(mut causes: Vec<(SocketAddr, Self)>) -> Self {
        /// Causes that an error lists.
        const LISTED: usize = 4;
        let Some((_, first)) = causes.first() else {
            return Self::new("the server has no address");
        };
        let text = first.root();
        if causes.iter().all(|(_, cause)| cause.root() == text) {
            return causes.swap_remove(0).1;
        }
        let listed = causes.iter().take(LISTED);
        let mut texts: Vec<_> =
            listed.map(|(address, cause)| format!("{address}: {}", cause.root())).collect();
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
        out.write_str(&self.root())
    }
}

/// A connection could not be made.
#[derive(Clone, Debug)]
pub struct ConnectError {
    address: Address,
    cause: Cause,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cannot connect to {}: {}", self.address, self.cause)
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.cause.0.as_ref())
    }
}

impl ConnectError {
    /// The server that it was to reach.
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
