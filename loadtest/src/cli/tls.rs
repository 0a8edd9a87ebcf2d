//! The options of TLS, which is spoken where the target begins with `grpcs://` or `rediss://`.

use std::path::PathBuf;

use clap::Args;
use thiserror::Error;
use tiny_cache_client::{Address, Tls, transport::Endpoint};

/// Whom to trust, and who to be.
#[derive(Args, Clone, Debug, Default, Eq, PartialEq)]
#[command(next_help_heading = "TLS (with grpcs:// or rediss:// in front of the target)")]
pub struct TlsArgs {
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

/// Why the options of TLS are refused.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The target is plain.
    #[error("{0} is plain, but TLS is set up; write grpcs:// in front of the target")]
    Plain(Address),
    /// A file or the name cannot be used.
    #[error(transparent)]
    Unusable(#[from] tiny_cache_client::Error),
}

impl TlsArgs {
    /// The way to a server, with TLS where its address asks for it. Reads the files.
    ///
    /// # Errors
    ///
    /// A file or the name cannot be used, or TLS is set up for a plain address.
    pub fn endpoint(&self, address: &Address) -> Result<Endpoint, TlsError> {
        let endpoint = Endpoint::new(address.clone());
        if !address.is_tls() {
            return if self.is_set_up() {
                Err(TlsError::Plain(address.clone()))
            } else {
                Ok(endpoint)
            };
        }
        Ok(endpoint.tls(&self.tls()?)?)
    }

    /// Whether any option is there.
    #[must_use]
    pub fn is_set_up(&self) -> bool {
        *self != Self::default()
    }

    /// Whom to trust, and who to be. Reads the files.
    ///
    /// # Errors
    ///
    /// A file cannot be used.
    pub fn tls(&self) -> Result<Tls, TlsError> {
        let mut tls = Tls::new();
        if let Some(file) = &self.ca {
            tls = tls.ca_file(file)?;
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.identity_files(cert, key)?;
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name);
        }
        Ok(tls)
    }
}
