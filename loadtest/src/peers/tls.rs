//! The files of TLS. Reads them when a run begins, not for each connection.

use std::{fmt, path::PathBuf, sync::Arc};

use clap::Args;
use rustls::{ClientConfig, pki_types::ServerName};
use tiny_cache_client::{Error, Tls};

use super::address::HostPort;

/// Whom to trust, and which certificate to show: options of the command line.
#[derive(Args, Clone, Debug, Default, Eq, PartialEq)]
#[command(next_help_heading = "TLS (with grpcs:// or rediss:// in front of the target)")]
pub struct TlsFiles {
    /// Authorities to trust, in PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Certificate chain to show, in PEM, for a server that asks for one
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// Key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Name that the server's certificate must have [default: the target's host]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
}

impl TlsFiles {
    /// Whether any of them is given.
    pub(super) fn is_any(&self) -> bool {
        *self != Self::default()
    }

    /// Reads the files.
    pub(super) fn read(&self) -> Result<Tls, Error> {
        let mut tls = Tls::new();
        if let Some(file) = &self.ca {
            tls = tls.ca_file(file)?;
        }
        if let (Some(chain), Some(key)) = (&self.cert, &self.key) {
            tls = tls.identity_files(chain, key)?;
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name);
        }
        Ok(tls)
    }
}

/// TLS without gRPC, for one server.
#[derive(Clone)]
pub(super) struct PlainTls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl PlainTls {
    pub(super) fn read(files: &TlsFiles, address: &HostPort) -> Result<Self, Error> {
        let (config, name) = files.read()?.config(&address.host, &[])?;
        Ok(Self { config, name })
    }
}

impl fmt::Debug for PlainTls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PlainTls({:?})", self.name)
    }
}
