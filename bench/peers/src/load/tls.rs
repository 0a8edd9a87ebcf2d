//! TLS of the client's side.

use std::sync::Arc;

use anyhow::Result;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, crypto::ring, pki_types::CertificateDer,
    pki_types::ServerName,
};

/// Trust in one certificate, for HTTP/2.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Trusts a certificate that signed itself, of the host `localhost`.
    ///
    /// # Errors
    ///
    /// It is no certificate.
    pub fn in_certificate(certificate: CertificateDer<'static>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn session(&self) -> Result<ClientConnection> {
        let mut session =
            ClientConnection::new(Arc::clone(&self.0), ServerName::try_from("localhost")?)?;
        // What waits is what the closed loop has in flight.
        session.set_buffer_limit(None);
        Ok(session)
    }
}
