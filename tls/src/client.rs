//! What a client speaks TLS with: whom it trusts, and the certificate that it shows.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::PrivateKeyDer};
use thiserror::Error;

use crate::{Authorities, Certificate, Misfit, Problem, check_identity};

/// Why a client cannot speak TLS.
#[derive(Debug, Error)]
pub enum Unusable {
    /// Nobody would be trusted: the system has no authorities.
    #[error("the system has no certificate authorities to trust")]
    NoAuthorities,
    /// An authority's certificate.
    #[error("an authority's certificate cannot be used: {0}")]
    Authority(Problem),
    /// The certificate and the key that are shown.
    #[error("the certificate and its key cannot be used: {}", .0.clone().into_problem())]
    Identity(Misfit),
    /// What rustls has against all of it.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// A configuration that trusts these authorities, or the system's if there are none, and shows the
/// chain of an identity with its key. It offers nothing by ALPN.
///
/// # Errors
/// [`Unusable`] says what stands in the way.
pub fn client_config(
    authorities: &[Certificate],
    identity: Option<(&[Certificate], &PrivateKeyDer<'static>)>,
) -> Result<ClientConfig, Unusable> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let trusting = if authorities.is_empty() {
        builder.with_root_certificates(system_authorities()?)
    } else {
        // rustls' own checks, with the authorities that have not expired.
        let verifier = Authorities::new(authorities)
            .and_then(|authorities| authorities.server_verifier(provider.clone()))
            .map_err(Unusable::Authority)?;
        builder.dangerous().with_custom_certificate_verifier(verifier)
    };
    let Some((chain, key)) = identity else { return Ok(trusting.with_no_client_auth()) };
    check_identity(chain, key, &provider).map_err(Unusable::Identity)?;
    let der = chain.iter().map(|certificate| certificate.der().clone()).collect();
    Ok(trusting.with_client_auth_cert(der, key.clone_key())?)
}

fn system_authorities() -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    // Skips the system's unreadable certificates.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(Unusable::NoAuthorities) } else { Ok(roots) }
}
