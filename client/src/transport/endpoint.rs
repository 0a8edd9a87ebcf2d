//! Where a server is and how its bytes get there and back: TCP, TLS, or a way of the
//! caller's own. Knows nothing of HTTP/2.

use std::{error::Error as StdError, fmt, io, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, pki_types::ServerName};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tower::Service;

use crate::{Address, Tls, error::Error};

/// A stream of bytes to and from a server.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Makes such a stream in a way of the caller's own.
pub(crate) type ConnectFn =
    Arc<dyn Fn() -> BoxFuture<'static, io::Result<Box<dyn Io>>> + Send + Sync>;

/// Where a server is, how to get there, and what is expected of the connection.
#[derive(Clone)]
pub struct Endpoint {
    address: Address,
    way: Way,
    pub(super) connect_timeout: Duration,
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
        let (config, server_name) = tls.build(self.address.server_name())?;
        self.way = Way::Tls { config, server_name };
        Ok(self)
    }

    pub(crate) fn connect_with(mut self, connect: ConnectFn) -> Self {
        self.way = Way::Own(connect);
        self
    }

    /// Gives a connection this long to be there, from the look-up of the name to the server's
    /// first HTTP/2 frame.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
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

    /// Opens a stream to the server.
    pub(super) async fn dial(&self) -> Result<Box<dyn Io>, ConnectError> {
        match &self.way {
            Way::Tcp => Ok(Box::new(self.tcp().await?)),
            Way::Tls { config, server_name } => self.handshake(config, server_name).await,
            Way::Own(connect) => connect().await.map_err(|error| self.failed(error)),
        }
    }

    async fn tcp(&self) -> Result<TcpStream, ConnectError> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(self.connect_timeout));
        let uri = format!("http://{}", self.address.authority())
            .parse()
            .map_err(|error: http::uri::InvalidUri| self.failed(error))?;
        Ok(connector.call(uri).await.map_err(|error| self.failed(error))?.into_inner())
    }

    async fn handshake(
        &self,
        config: &Arc<ClientConfig>,
        server_name: &ServerName<'static>,
    ) -> Result<Box<dyn Io>, ConnectError> {
        let stream = self.tcp().await?;
        let stream = TlsConnector::from(config.clone())
            .connect(server_name.clone(), stream)
            .await
            .map_err(|error| self.failed(error))?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(self.failed("the server does not offer HTTP/2 over TLS (ALPN)"));
        }
        Ok(Box::new(stream))
    }

    /// The error of a connection that did not come about.
    pub(crate) fn failed(&self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> ConnectError {
        ConnectError { address: self.address.clone(), cause: Arc::from(cause.into()) }
    }
}

/// A connection could not be made.
#[derive(Clone, Debug, Error)]
#[error("cannot connect to {address}: {}", root(cause.as_ref()))]
pub struct ConnectError {
    address: Address,
    #[source]
    cause: Arc<dyn StdError + Send + Sync>,
}

impl ConnectError {
    /// Whom it was to reach.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }
}

/// The last error of a chain, which says what happened in the system's own words.
fn root(error: &(dyn StdError + Send + Sync)) -> String {
    let mut error: &dyn StdError = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
