//! TLS: the authorities that are trusted, and the client's own certificate.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig,
    pki_types::{PrivateKeyDer, ServerName, UnixTime},
};
use tiny_cache_tls::{Authorities, Certificate, Problem, Unusable, client_config};
use tracing::warn;

use crate::{
    error::Error,
    transport::{Endpoint, Route},
};

/// The settings of TLS: the trusted authorities, by default the system's, and the certificate
/// that the client presents.
///
/// ```no_run
/// use tiny_cache_client::{Client, Tls};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), tiny_cache_client::Error> {
/// let tls = Tls::new()
///     .ca_file("ca.pem")?
///     .identity_files("client.pem", "client.key")?
///     .server_name("cache.internal");
/// let client = Client::builder("grpcs://10.0.0.7").tls(tls).connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Tls {
    /// Empty: the system's.
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
    server_name: Option<String>,
}

#[derive(Clone, Debug)]
struct Identity {
    chain: Vec<Certificate>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl Tls {
    /// Trusts the system's authorities and presents no certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these authorities, in PEM, in place of the system's. Logs a warning for an expired
    /// one, which is not trusted.
    ///
    /// # Errors
    ///
    /// The text has no certificate, or one that cannot be used:
    /// [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.authorities.extend(authorities(pem, "the authorities' certificates")?);
        Ok(self)
    }

    /// Trusts the authorities of a PEM file in place of the system's.
    ///
    /// # Errors
    ///
    /// The file cannot be read or has no certificate: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        self.authorities.extend(authorities(&read(path)?, &name)?);
        Ok(self)
    }

    /// Presents this certificate chain to servers that ask for one (mutual TLS).
    ///
    /// # Errors
    ///
    /// A text is not PEM, or lacks the certificate or the key: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn identity_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let (chain, key) = ((chain, "the client's certificate"), (key, "the client's key"));
        self.identity = Some(identity(chain, key)?);
        Ok(self)
    }

    /// Presents the certificate chain of one PEM file, with the key of another.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or lacks the certificate or the key: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn identity_files(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let (chain, key) = (chain.as_ref(), key.as_ref());
        self.identity = Some(identity(
            (&read(chain)?, &chain.display().to_string()),
            (&read(key)?, &key.display().to_string()),
        )?);
        Ok(self)
    }

    /// Expects this name in the server's certificate, in place of the address's host.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The rustls configuration to connect to `host`, also for protocols other than gRPC. Offers
    /// `protocols` by ALPN.
    ///
    /// # Errors
    ///
    /// The certificates or the server's name cannot be used: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn config(
        &self,
        host: &str,
        protocols: &[&[u8]],
    ) -> Result<(Arc<ClientConfig>, ServerName<'static>), Error> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let server_name = ServerName::try_from(name.to_owned()).map_err(|error| {
            Error::validation(format!("bad TLS server name `{name}`")).because(error)
        })?;

        let identity = self.identity.as_ref().map(|Identity { chain, key }| (&chain[..], &**key));
        let mut config = client_config(&self.authorities, identity).map_err(unusable)?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok((Arc::new(config), server_name))
    }
}

impl Endpoint {
    /// Uses TLS.
    ///
    /// # Errors
    ///
    /// The certificates or the server's name cannot be used: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn tls(mut self, tls: &Tls) -> Result<Self, Error> {
        let (config, server_name) = tls.config(self.address().server_name(), &[b"h2"])?;
        self.route = Route::Tls { config, server_name };
        Ok(self)
    }
}

fn unusable(unusable: Unusable) -> Error {
    match unusable {
        Unusable::NoAuthorities => Error::validation(
            "the system has no certificate authorities to trust; pass some with a CA file",
        ),
        Unusable::Authority(problem) => {
            Error::validation("an authority's certificate cannot be used").because(problem)
        }
        Unusable::Identity(misfit) => {
            Error::validation("the client's certificate and key cannot be used")
                .because(misfit.into_problem())
        }
        Unusable::Rustls(error) => Error::validation("TLS cannot be set up").because(error),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    tiny_cache_tls::read(path).map_err(|problem| {
        Error::validation(format!("cannot read {}", path.display())).because(problem)
    })
}

fn certificates(pem: &[u8], name: &str) -> Result<Vec<Certificate>, Error> {
    tiny_cache_tls::certificates(pem).map_err(|problem| refused(name, &problem))
}

fn authorities(pem: &[u8], name: &str) -> Result<Vec<Certificate>, Error> {
    let found = certificates(pem, name)?;
    Authorities::new(&found).map_err(|problem| refused(name, &problem))?;
    for warning in found.iter().filter_map(|found| found.date_warning(UnixTime::now())) {
        warn!("{name}: {warning}; servers that it signed are refused");
    }
    Ok(found)
}

fn identity(chain: (&[u8], &str), key: (&[u8], &str)) -> Result<Identity, Error> {
    let chain = certificates(chain.0, chain.1)?;
    let key = tiny_cache_tls::private_key(key.0).map_err(|problem| refused(key.1, &problem))?;
    Ok(Identity { chain, key: key.into() })
}

/// The error of a PEM text, with the name of its file.
fn refused(name: &str, problem: &Problem) -> Error {
    Error::validation(format!("{name}: {problem}"))
}
