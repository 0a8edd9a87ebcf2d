//! The options and variables for TLS. Refuses contradictions between them.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use tiny_cache_client::{Error as CacheError, Tls};

use super::environment::{self, CA, CERT, Given, KEY, SERVER_NAME};
use crate::error::{Error, refused};

/// The options for TLS.
#[derive(Args, Clone, Debug)]
pub(crate) struct TlsArgs {
    /// Use TLS, as do grpcs:// in front of the address and any of the options below [env:
    /// TINY_CACHE_TLS=true]
    #[arg(long, global = true)]
    tls: bool,

    /// Trust the authorities of this PEM file, not the system's [env: TINY_CACHE_CA]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca: Option<PathBuf>,

    /// Present this certificate (PEM) to the server; needs --key [env: TINY_CACHE_CERT]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cert: Option<PathBuf>,

    /// Private key (PEM) of --cert [env: TINY_CACHE_KEY]
    #[arg(long = "key", global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    private_key: Option<PathBuf>,

    /// Expect this name in the server's certificate, not the address's [env:
    /// TINY_CACHE_SERVER_NAME]
    #[arg(long, global = true, value_name = "NAME")]
    server_name: Option<String>,
}

/// The TLS settings of options and variables.
#[derive(Debug)]
pub(super) struct Secure {
    /// The first option or variable that asks for TLS.
    pub(super) asked_by: Option<&'static str>,
    /// Whether the variable turns TLS off.
    pub(super) is_off: bool,
    ca: Option<Given<PathBuf>>,
    cert: Option<Given<PathBuf>>,
    private_key: Option<Given<PathBuf>>,
    server_name: Option<Given<String>>,
}

impl Secure {
    pub(super) fn of(args: &TlsArgs) -> Result<Self, Error> {
        let ca = environment::path(("--ca", args.ca.as_deref()), CA);
        let cert = environment::path(("--cert", args.cert.as_deref()), CERT);
        let private_key = environment::path(("--key", args.private_key.as_deref()), KEY);
        let name = ("--server-name", args.server_name.as_deref());
        let server_name = environment::text(name, SERVER_NAME)?;
        let switch = environment::switch(environment::TLS)?;

        let paths = [&ca, &cert, &private_key].into_iter().flatten().map(|given| given.source);
        let details = paths.chain(server_name.iter().map(|given| given.source));
        let switched = [(args.tls, "--tls"), (switch == Some(true), environment::TLS)];
        let mut asked = switched.into_iter().filter_map(|(on, name)| on.then_some(name));
        // Options first: the user sees the command line.
        let (options, variables): (Vec<_>, Vec<_>) =
            asked.by_ref().chain(details).partition(|name| name.starts_with("--"));
        let asked_by = options.first().or(variables.first()).copied();
        if let (Some(false), true, Some(variable)) = (switch, options.is_empty(), asked_by) {
            return Err(refused!(
                "{} is off, but {variable} is set; unset one of them",
                environment::TLS
            ));
        }
        Ok(Self { asked_by, is_off: switch == Some(false), ca, cert, private_key, server_name })
    }

    /// The client's settings; none if the address alone decides.
    pub(super) fn tls(&self) -> Result<Option<Tls>, Error> {
        if self.asked_by.is_none() {
            return Ok(None);
        }
        let mut tls = Tls::new();
        if let Some(ca) = &self.ca {
            tls = tls.ca_file(&ca.value).map_err(|error| named(&ca.prefix(), error))?;
        }
        tls = match (&self.cert, &self.private_key) {
            (Some(cert), Some(key)) => {
                // The error names the file; this names the variable.
                let prefix = if cert.is_variable() { cert.prefix() } else { key.prefix() };
                tls.identity_files(&cert.value, &key.value)
                    .map_err(|error| named(&prefix, error))?
            }
            (None, None) => tls,
            (Some(cert), None) => {
                return Err(refused!("{cert} needs its key: add --key, or set {KEY}"));
            }
            (None, Some(key)) => {
                return Err(refused!("{key} has no certificate: add --cert, or set {CERT}"));
            }
        };
        if let Some(name) = &self.server_name {
            tls = tls.server_name(&name.value);
        }
        Ok(Some(tls))
    }
}

fn named(prefix: &str, error: CacheError) -> Error {
    if prefix.is_empty() { error.into() } else { refused!("{prefix}{error}") }
}
