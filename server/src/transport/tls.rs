//! TLS and mutual TLS for the gRPC port. The certificates are read once, at start.

use std::{path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use crate::settings::TlsFiles;

/// Certificates or a key that cannot be used; names the file.
#[derive(Debug, Error)]
#[error("{variable}: {path}: {problem}")]
pub struct TlsError {
    variable: &'static str,
    path: String,
    problem: String,
}

impl TlsError {
    fn new(variable: &'static str, path: &Path, problem: impl ToString) -> Self {
        Self { variable, path: path.display().to_string(), problem: problem.to_string() }
    }
}

/// Reads the files and makes what takes TLS connections.
///
/// # Errors
/// [`TlsError`] when a file is missing, is not PEM, or does not fit the others.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates("CACHE_TLS_CERT_PATH", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::new("CACHE_TLS_KEY_PATH", &files.key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::new("CACHE_TLS_CERT_PATH", &files.certificate, error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            const VARIABLE: &str = "CACHE_TLS_CLIENT_CA_PATH";
            let mut roots = RootCertStore::empty();
            for authority in certificates(VARIABLE, path)? {
                roots.add(authority).map_err(|error| TlsError::new(VARIABLE, path, error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .map_err(|error| TlsError::new(VARIABLE, path, error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::new("CACHE_TLS_KEY_PATH", &files.key, error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(
    variable: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsError::new(variable, path, error))?;
    if chain.is_empty() {
        return Err(TlsError::new(variable, path, "no certificate in this file"));
    }
    Ok(chain)
}
