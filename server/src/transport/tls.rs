//! TLS and mutual TLS for the gRPC port. The certificates are read once, at start.

use std::{path::Path, sync::Arc};

use rustls::{ServerConfig, pki_types::UnixTime, server::NoServerSessionStorage};
use thiserror::Error;
use tiny_cache_tls::{
    Authorities, Certificate, Misfit, Problem, certificates, check_identity, order_warning,
    private_key, read,
};
use tokio_rustls::TlsAcceptor;

/// Certificates or a key that cannot be used; names the file.
#[derive(Debug, Error)]
#[error("{variable}: {path}: {problem}")]
pub struct TlsError {
    variable: &'static str,
    path: String,
    problem: String,
}

/// What the files hold.
#[derive(Default)]
pub(crate) struct Tls {
    /// `None`: the port is plain.
    pub(crate) acceptor: Option<TlsAcceptor>,
    pub(crate) certificates: Vec<LoadedCertificate>,
    /// What works now and turns peers away sooner or later.
    pub(crate) warnings: Vec<String>,
}

/// A certificate that the server uses.
#[derive(Clone, Debug)]
pub(crate) struct LoadedCertificate {
    /// Which of the files it is from.
    pub(crate) kind: &'static str,
    pub(crate) certificate: Certificate,
}

/// Reads the PEM files and makes what takes TLS connections. Without `client_ca` clients need no
/// certificate.
///
/// # Errors
/// [`TlsError`] when a file is missing, is not PEM, cannot be used, or does not fit the others.
pub(crate) fn load(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Tls, TlsError> {
    let chain_file = File { variable: "CACHE_TLS_CERT_PATH", path: certificate };
    let key_file = File { variable: "CACHE_TLS_KEY_PATH", path: key };
    let chain = chain_file.parse(certificates)?;
    let key = key_file.parse(private_key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    check_identity(&chain, &key, &provider).map_err(|misfit| match misfit {
        Misfit::Chain(problem) => chain_file.refuse(problem),
        Misfit::Key(problem) => key_file.refuse(problem),
    })?;

    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| chain_file.refuse(error))?;
    let mut tls = Tls::default();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let file = File { variable: "CACHE_TLS_CLIENT_CA_PATH", path };
            let signers = file.parse(certificates)?;
            let verifier = Authorities::new(&signers)
                .and_then(|authorities| authorities.client_verifier(provider))
                .map_err(|problem| file.refuse(problem))?;
            tls.take("client_ca", &file, signers, "clients that it signed are refused");
            builder.with_client_cert_verifier(verifier)
        }
    };
    let der = chain.iter().map(|certificate| certificate.der().clone()).collect();
    let mut config = builder.with_single_cert(der, key).map_err(|error| key_file.refuse(error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    if client_ca.is_some() {
        // A resumed session is that of a certificate which was checked once: it would outlive the
        // certificate, and its authority. Connections live long, so full handshakes are few.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    tls.acceptor = Some(TlsAcceptor::from(Arc::new(config)));
    tls.warnings.extend(order_warning(&chain).map(|warning| chain_file.warning(&warning)));
    tls.take("server", &chain_file, chain, "clients refuse it");
    Ok(tls)
}

impl Tls {
    fn take(
        &mut self,
        kind: &'static str,
        file: &File<'_>,
        certificates: Vec<Certificate>,
        consequence: &str,
    ) {
        let now = UnixTime::now();
        for certificate in certificates {
            let warning = certificate.date_warning(now);
            let warning = warning.map(|warning| file.warning(&format!("{warning}; {consequence}")));
            self.warnings.extend(warning);
            self.certificates.push(LoadedCertificate { kind, certificate });
        }
    }
}

/// A file, and the variable that names it.
struct File<'a> {
    variable: &'static str,
    path: &'a Path,
}

impl File<'_> {
    fn parse<T>(&self, parse: impl Fn(&[u8]) -> Result<T, Problem>) -> Result<T, TlsError> {
        let content = read(self.path).map_err(|problem| self.refuse(problem))?;
        parse(&content).map_err(|problem| self.refuse(problem))
    }

    fn refuse(&self, problem: impl ToString) -> TlsError {
        TlsError {
            variable: self.variable,
            path: self.path.display().to_string(),
            problem: problem.to_string(),
        }
    }

    fn warning(&self, text: &str) -> String {
        format!("{}: {}: {text}", self.variable, self.path.display())
    }
}
