//! A server in the process, for the tests of programs that use this library.

use std::{collections::BTreeMap, net::SocketAddr};

use tiny_cache_server::{Server, Settings};
use tokio::task::spawn_blocking;

use crate::{
    client::Client,
    error::{Error, Result},
    kind::ErrorKind,
};

/// A real tiny-cache server in the process, on a free port of the loopback, with its own threads.
///
/// Dropping it stops it at once.
///
/// ```
/// use tiny_cache_client::testing::TestServer;
///
/// # #[tokio::main]
/// # async fn main() -> tiny_cache_client::Result<()> {
/// let server = TestServer::start().await?;
/// let client = server.client().await?;
/// client.set("key", "value").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TestServer {
    server: Server,
    address: String,
}

impl TestServer {
    /// Starts a server with one worker thread and the default limits.
    ///
    /// # Errors
    ///
    /// The system has no port or thread left: [`ErrorKind::Other`].
    pub async fn start() -> Result<Self> {
        Self::start_with([("CACHE_WORKERS", "1")]).await
    }

    /// Starts a server with these settings, named as the variables of the server's environment.
    /// The ports are free ones unless the settings name others.
    ///
    /// ```
    /// # use tiny_cache_client::testing::TestServer;
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// let server = TestServer::start_with([("CACHE_MAX_VALUE_BYTES", "1000")]).await?;
    /// let error = server.client().await?.set("key", vec![0; 1001]).await.unwrap_err();
    /// assert_eq!(error.kind(), tiny_cache_client::ErrorKind::ResourceExhausted);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A setting is wrong ([`ErrorKind::Validation`]), or the system has no port or thread
    /// left ([`ErrorKind::Other`]).
    pub async fn start_with<K, V>(settings: impl IntoIterator<Item = (K, V)>) -> Result<Self>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let defaults = [
            ("CACHE_HOST", "127.0.0.1"),
            ("CACHE_PORT", "0"),
            ("CACHE_HEALTH_HOST", "127.0.0.1"),
            ("CACHE_HEALTH_PORT", "0"),
        ];
        let defaults = defaults.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = settings.into_iter().map(|(name, value)| (name.into(), value.into()));
        let variables: BTreeMap<_, _> = defaults.into_iter().chain(settings).collect();
        let settings = Settings::from_vars(variables)
            .map_err(|error| Error::validation("the test server's settings").because(error))?;
        let server = spawn_blocking(move || Server::start(settings))
            .await
            .map_err(|error| cannot_start().because(error))?
            .map_err(|error| cannot_start().because(error))?;
        let address = server.grpc_addr().to_string();
        Ok(Self { server, address })
    }

    /// Its address, `host:port`, for [`Client::connect`].
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of its HTTP port, for health, stats and metrics.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.server.http_addr()
    }

    /// A client with the default settings.
    ///
    /// # Errors
    ///
    /// It cannot connect.
    pub async fn client(&self) -> Result<Client> {
        Client::connect(&self.address).await
    }

    /// Stops the server gracefully: it answers the calls that are under way.
    pub async fn shutdown(self) {
        // The threads end in any case; their panic is not the caller's.
        let _ = spawn_blocking(move || self.server.shutdown()).await;
    }
}

fn cannot_start() -> Error {
    Error::new(ErrorKind::Other, "the test server cannot start")
}
