//! What takes TLS connections on a port. Clones share it; a handshake uses what was put to use
//! last.

use std::{fmt, io, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    open::{Admission, Chain, Open, accepts},
    part::provider,
};

/// A port that speaks TLS.
#[derive(Clone)]
pub(crate) struct Port {
    keys: Arc<ArcSwap<Keys>>,
    open: Arc<Open>,
}

/// What a handshake needs.
pub(super) struct Keys {
    config: Arc<ServerConfig>,
    /// Checks clients' certificates. `None`: clients are not asked for one.
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Port {
    pub(super) fn new(keys: Keys) -> Self {
        Self { keys: Arc::new(ArcSwap::from_pointee(keys)), open: Arc::default() }
    }

    /// Takes the handshakes that begin from now on with these. Open connections stay as they are.
    pub(super) fn set(&self, keys: Keys) {
        self.keys.store(Arc::new(keys));
    }

    /// Ends the open connections whose certificate is not accepted now. Returns how many.
    pub(super) fn check_open(&self) -> usize {
        let keys = self.keys.load();
        keys.clients.as_ref().map_or(0, |clients| self.open.check(&**clients))
    }

    /// Shakes hands on a port that asks clients for no certificate.
    ///
    /// # Errors
    /// When the peer is gone, or speaks no TLS.
    pub(crate) async fn accept_anyone<IO>(&self, io: IO) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.keys.load_full().accept(io).await
    }

    /// Shakes hands. The connection ends when `drain` is cancelled, or where there is an
    /// [`Admission`], by that, which must live as long.
    ///
    /// # Errors
    /// When the peer is refused or gone, or speaks no TLS.
    pub(crate) async fn accept<IO>(
        &self,
        io: IO,
        drain: &CancellationToken,
    ) -> io::Result<(TlsStream<IO>, Option<Admission>)>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let keys = self.keys.load_full();
        let stream = keys.accept(io).await?;
        let shown = keys.clients.as_ref().and_then(|_| stream.get_ref().1.peer_certificates());
        let Some(chain) = shown.map(Chain::from) else { return Ok((stream, None)) };
        let admission = self.open.admit(chain.clone(), drain);
        // What has changed since the handshake began may not have seen this connection.
        let now = self.keys.load();
        if !Arc::ptr_eq(&keys, &now)
            && let Some(clients) = &now.clients
            && !accepts(&**clients, &chain)
        {
            admission.refuse();
        }
        Ok((stream, Some(admission)))
    }
}

impl Keys {
    /// `protocol` is the one of ALPN.
    pub(super) fn new(
        certified: Arc<CertifiedKey>,
        clients: Option<Arc<dyn ClientCertVerifier>>,
        protocol: &[u8],
    ) -> Self {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has ciphers for both versions");
        let builder = match &clients {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
        };
        let resolver = SingleCertAndKey::from(certified);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![protocol.to_vec()];
        if clients.is_some() {
            // A resumed session is that of a certificate which was checked once: it would outlive
            // the certificate, and its authority. Connections live long, so full handshakes are few.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Self { config: Arc::new(config), clients }
    }

    async fn accept<IO>(&self, io: IO) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.config.clone()).accept(io).await
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
