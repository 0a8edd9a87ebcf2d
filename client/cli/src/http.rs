//! The HTTP port of a server, plain or over TLS: one page at a time.

use std::{fmt::Display, io, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode,
    client::conn::http1,
    header::{AUTHORIZATION, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

use crate::{
    connection::ConnectionArgs,
    error::{Error, refused},
};

/// Bytes of a page that are read: 202 namespaces take some 100 KiB.
const MOST_BYTES: usize = 4 << 20;

const SECURE: &str = "https://";

/// Where the port is.
pub(crate) struct Http {
    /// `HOST:PORT`.
    address: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Http {
    /// Reads `HOST:PORT`, which is plain, or that behind `https://`: then the connection's options
    /// say whom to trust, and which certificate to present.
    pub(crate) fn new(given: &str, connection: &ConnectionArgs) -> Result<Self, Error> {
        let Some(address) = given.strip_prefix(SECURE) else {
            let address = given.strip_prefix("http://").unwrap_or(given);
            if address.contains("://") {
                return Err(refused!("bad --http `{given}`: it is HOST:PORT or https://HOST:PORT"));
            }
            return Ok(Self { address: without_path(address), tls: None });
        };
        let address = without_path(address);
        let (host, _) = address.rsplit_once(':').unwrap_or((&address, ""));
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = connection.tls()?.unwrap_or_default().config(host, &[b"http/1.1"])?;
        Ok(Self { address, tls: Some(tls) })
    }

    /// The page at a path, which is JSON.
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<HeaderValue>,
    ) -> Result<T, Error> {
        let failed = |problem: io::Error| self.failed(path, &problem);
        let body = self.fetch(path, token).await.map_err(failed)?;
        serde_json::from_slice(&body).map_err(|problem| self.failed(path, &problem))
    }

    /// Why there is no page.
    pub(crate) fn failed(&self, path: &str, problem: &dyn Display) -> Error {
        let scheme = if self.tls.is_some() { SECURE } else { "http://" };
        refused!(
            "cannot read {scheme}{}{path}: {problem}; check the server's HTTP port \
             (CACHE_HEALTH_PORT, CACHE_HEALTH_TLS_ENABLED) and --http",
            self.address
        )
    }

    async fn fetch(&self, path: &str, token: Option<HeaderValue>) -> io::Result<Bytes> {
        let socket = TcpStream::connect(&self.address).await?;
        match &self.tls {
            None => self.ask(socket, path, token).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(config.clone());
                let secured = connector.connect(name.clone(), socket).await?;
                self.ask(secured, path, token).await
            }
        }
    }

    async fn ask<IO>(&self, io: IO, path: &str, token: Option<HeaderValue>) -> io::Result<Bytes>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut requests, connection) =
            http1::handshake(TokioIo::new(io)).await.map_err(io::Error::other)?;
        let request = Request::get(path).header(HOST, &self.address).body(Empty::<Bytes>::new());
        let mut request = request.map_err(io::Error::other)?;
        request.headers_mut().extend(token.map(|token| (AUTHORIZATION, token)));
        let answer = async move {
            let response = requests.send_request(request).await.map_err(io::Error::other)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(io::Error::other)?.to_bytes();
            if status.is_success() {
                return Ok(body);
            }
            // It says what is missing.
            let said = String::from_utf8_lossy(&body);
            let said = said.lines().next().unwrap_or_default();
            let token =
                if status == StatusCode::UNAUTHORIZED { " (--http-token-file)" } else { "" };
            Err(io::Error::other(format!("it answers {status}{token}: {said}")))
        };
        let (answer, _closed) = tokio::join!(answer, connection);
        answer
    }
}

/// The address without the slash that a copied URL ends with.
fn without_path(address: &str) -> String {
    address.trim_end_matches('/').to_owned()
}
