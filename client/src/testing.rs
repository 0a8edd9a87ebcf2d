//! A server in the process, for the tests of whoever uses this library.

use std::net::SocketAddr;

use tiny_cache_server::{Server, Settings};
use tokio::task::spawn_blocking;

use crate::{
    Client,
    error::{Error, ErrorKind, Result},
};

/// A tiny-cache server of its own, on a free port of the loopback, with threads of its own.
/// It is the real one: what holds against it holds in production.
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

    /// Starts a server with settings of your own: those that the server itself reads from its
    /// environment. The ports are free ones unless the settings say otherwise.
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
        let mut variables: std::collections::BTreeMap<String, String> =
            defaults.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        variables.extend(settings.into_iter().map(|(name, value)| (name.into(), value.into())));
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

    /// Where it serves health, figures and metrics over HTTP.
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

    /// Stops as a server in production does: every call under way is answered.
    pub async fn shutdown(self) {
        // Its threads end in any case; a panic of theirs is not this caller's.
        let _ = spawn_blocking(move || self.server.shutdown()).await;
    }
}

fn cannot_start() -> Error {
    Error::new(ErrorKind::Other, "the test server cannot start")
}
