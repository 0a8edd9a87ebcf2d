//! Encrypted connections to the tier, by the cryptography that everything else here uses. The
//! client crate's own TLS would bring a second library of it.

use std::{io, path::Path, sync::Arc};

use rustis::client::{Config, CustomTransport, ServerConfig, TransportReader, TransportWriter};
use rustls::{ClientConfig, pki_types::ServerName};
use thiserror::Error;
use tiny_cache_tls::{
    Certificate, Misfit, Problem, Unusable, certificates, client_config, private_key, read,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::settings::{Address, TierFiles, TierSettings};

/// Why the tier cannot be used as it is set.
#[derive(Debug, Error)]
pub enum TierError {
    /// A file cannot be used.
    #[error("{variable}: {file}: {problem}")]
    File {
        /// The variable that names it.
        variable: &'static str,
        /// Its path.
        file: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// Nobody would be trusted.
    #[error(
        "the system has no certificate authorities to trust; set CACHE_BACKEND_TLS_CA_PATH to the \
         PEM file of those that sign the backend's certificate"
    )]
    NoAuthorities,
    /// rustls does not take it, though each file could be read.
    #[error("CACHE_BACKEND_URL: {0}")]
    Tls(Unusable),
}

const CA: &str = "CACHE_BACKEND_TLS_CA_PATH";
const CERT: &str = "CACHE_BACKEND_TLS_CERT_PATH";
const KEY: &str = "CACHE_BACKEND_TLS_KEY_PATH";
const PASSWORD: &str = "CACHE_BACKEND_PASSWORD_PATH";

/// What the client crate connects with.
pub(super) fn address(settings: &TierSettings) -> Result<Address, TierError> {
    let mut address: Address = settings.url.parse().expect("the settings have checked the URL");
    if let Some(path) = &settings.password {
        let text = content(PASSWORD, path)?;
        let password = String::from_utf8_lossy(&text).trim_end_matches(['\r', '\n']).to_owned();
        address.config.password = Some(password);
    }
    Ok(address)
}

/// What encrypts connections.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    pub(super) fn load(files: &TierFiles) -> Result<Self, TierError> {
        Ok(Self(TlsConnector::from(Arc::new(tls(files)?))))
    }

    /// Encrypts the connection to the one server of a configuration.
    pub(super) fn encrypt(&self, config: &mut Config) -> io::Result<()> {
        let ServerConfig::Standalone { host, port } = &config.server else { return Ok(()) };
        let (host, port) = (host.trim_matches(['[', ']']).to_owned(), *port);
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let connector = self.0.clone();
        config.server = ServerConfig::Custom(CustomTransport::new(move || {
            let (host, name, connector) = (host.clone(), name.clone(), connector.clone());
            async move { Ok(connect((&host, port), name, &connector).await?) }
        }));
        Ok(())
    }
}

async fn connect(
    place: (&str, u16),
    name: ServerName<'static>,
    connector: &TlsConnector,
) -> io::Result<(TransportReader, TransportWriter)> {
    let socket = TcpStream::connect(place).await?;
    socket.set_nodelay(true)?;
    let (reader, writer) = tokio::io::split(connector.connect(name, socket).await?);
    Ok((Box::new(reader), Box::new(writer)))
}

fn tls(files: &TierFiles) -> Result<ClientConfig, TierError> {
    let authorities = files.ca.as_deref().map(|path| chain(CA, path)).transpose()?;
    let identity = match &files.pair {
        None => None,
        Some((chain_path, key_path)) => {
            let key = private_key(&content(KEY, key_path)?);
            let key = key.map_err(|problem| fault(KEY, key_path, problem))?;
            Some((chain(CERT, chain_path)?, key))
        }
    };
    let shown = identity.as_ref().map(|(chain, key)| (&chain[..], key));
    let config = client_config(authorities.as_deref().unwrap_or_default(), shown);
    config.map_err(|unusable| match (unusable, &files.ca, &files.pair) {
        (Unusable::NoAuthorities, ..) => TierError::NoAuthorities,
        (Unusable::Authority(problem), Some(ca), _) => fault(CA, ca, problem),
        (Unusable::Identity(Misfit::Chain(problem)), _, Some((chain, _))) => {
            fault(CERT, chain, problem)
        }
        (Unusable::Identity(Misfit::Key(problem)), _, Some((_, key))) => fault(KEY, key, problem),
        (unusable, ..) => TierError::Tls(unusable),
    })
}

fn chain(variable: &'static str, path: &Path) -> Result<Vec<Certificate>, TierError> {
    certificates(&content(variable, path)?).map_err(|problem| fault(variable, path, problem))
}

fn content(variable: &'static str, path: &Path) -> Result<Vec<u8>, TierError> {
    read(path).map_err(|problem| fault(variable, path, problem))
}

fn fault(variable: &'static str, path: &Path, problem: Problem) -> TierError {
    TierError::File { variable, file: path.display().to_string(), problem }
}
