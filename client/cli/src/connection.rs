//! The server, and how it is spoken to: the options that every command takes.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use clap::{Args, ValueHint};
use tiny_cache_client::{Address, Builder, Client, Tls};

use crate::{
    error::{Error, Place},
    trace::Trace,
};

/// Where a server is that nobody has moved.
const DEFAULT_TARGET: &str = "localhost:50051";

/// Pause before the first retry, at most: a person waits.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Most retries that can be asked for.
const MOST_RETRIES: u32 = 1000;

/// Longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What leads to a server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    // Not clap's `env`: that takes an empty variable for an address, and does not name the
    // variable where it is wrong.
    #[arg(
        long,
        help = "Server: HOST, HOST:PORT or [IPV6]:PORT, with grpc:// or http:// in front if \
                wanted, or for TLS grpcs:// or https:// [env: TINY_CACHE_TARGET] [default: \
                localhost:50051]",
        global = true,
        value_name = "ADDR",
        value_hint = ValueHint::Hostname
    )]
    target: Option<String>,

    /// Longest that a call may take, such as 500ms or 2s: connecting and all retries are
    /// within it; in a batch, each try of each part (1 MiB or 1000 items)
    /// may take as long
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        allow_hyphen_values = true,
        default_value = "5s",
        value_parser = positive_duration
    )]
    pub(crate) timeout: Duration,

    /// Try again so often, while --timeout lasts, where the server is not there or turns the
    /// call away; conditional writes only where it is certain that they were not done
    #[arg(
        long,
        global = true,
        value_name = "N",
        allow_hyphen_values = true,
        default_value = "0",
        value_parser = retries
    )]
    pub(crate) retries: u32,

    /// Namespace to work in [default: the shared keyspace]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// Send this as x-request-id, which the server hands on to its logs and to the reply; an
    /// error of the server's own names it
    #[arg(long, global = true, value_name = "ID", value_parser = request_id)]
    pub(crate) request_id: Option<String>,

    /// Have the server trace the call, whatever part of calls it samples; the trace's id goes to
    /// stderr, or a line that there is no trace
    #[arg(long, global = true)]
    pub(crate) trace: bool,

    /// The trace, once a client was made
    #[arg(skip)]
    traced: OnceLock<Arc<Trace>>,

    /// Speak TLS; so does grpcs:// in front of the address, and any of the options below
    #[arg(long, global = true)]
    pub(crate) tls: bool,

    /// Trust the authorities of this PEM file, not the system's
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Option<PathBuf>,

    /// Show this certificate (PEM) to the server; needs --key
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) cert: Option<PathBuf>,

    /// Private key (PEM) of --cert
    #[arg(long = "key", global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) private_key: Option<PathBuf>,

    /// Expect this name in the server's certificate, not the address's
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
}

impl ConnectionArgs {
    /// A client for single calls, which connects with the first of them.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        self.build(|builder| builder.total_deadline(self.timeout))
    }

    /// A client for batches: the time is for each try of each part, so that a batch may be as
    /// long as it likes.
    pub(crate) fn batch_client(&self) -> Result<Client, Error> {
        self.build(|builder| builder)
    }

    /// What errors call the server, and the time that it has.
    pub(crate) fn place(&self) -> Result<Place, Error> {
        Ok(Place { address: self.address()?.to_string(), timeout: self.timeout, more: "--timeout" })
    }

    /// Reports the trace that was asked for, after the last call.
    pub(crate) fn report_trace(&self) {
        if let Some(trace) = self.traced.get() {
            trace.report();
        }
    }

    fn build(&self, finish: impl FnOnce(Builder) -> Builder) -> Result<Client, Error> {
        let tls = self.tls()?;
        let mut builder = Client::builder(self.address()?.to_string())
            .connections(1)
            .health_check_interval(Duration::ZERO)
            .connect_timeout(self.timeout)
            .deadline(self.timeout)
            .retries(self.retries)
            .first_backoff(FIRST_BACKOFF);
        if let Some(tls) = tls {
            builder = builder.tls(tls);
        }
        if let Some(id) = &self.request_id {
            builder = builder.metadata("x-request-id", id);
        }
        if self.trace {
            let trace = self.traced.get_or_init(|| Arc::new(Trace::new())).clone();
            builder = builder.metadata("traceparent", trace.sampled());
            builder = builder.on_reply(move |reply| trace.note(reply));
        }
        let client = finish(builder).build()?;
        match self.namespace.as_deref() {
            None => Ok(client),
            // Most likely a variable that is not set; the shared keyspace would take it badly.
            Some(name) if name.trim().is_empty() => Err(Error::Refused(
                "--namespace is blank; leave it out for the shared keyspace".to_owned(),
            )),
            Some(name) => client
                .in_namespace(name)
                .map_err(|error| Error::Refused(format!("bad --namespace `{name}`: {error}"))),
        }
    }

    /// The address; where it leaves TLS open, the TLS options decide.
    fn address(&self) -> Result<Address, Error> {
        let (target, source) = match (&self.target, environment()?) {
            (Some(target), _) => (target.clone(), ""),
            (None, Some(target)) => (target, "TINY_CACHE_TARGET: "),
            (None, None) => (DEFAULT_TARGET.to_owned(), ""),
        };
        let scheme = if self.wants_tls() && !target.contains("://") { "grpcs://" } else { "" };
        // Checked without the scheme of ours first: an error shows what was written.
        let address = target.parse().and_then(|_: Address| format!("{scheme}{target}").parse());
        address.map_err(|error| Error::Refused(format!("{source}{error}")))
    }

    fn wants_tls(&self) -> bool {
        let Self { tls, ca, cert, private_key, server_name, .. } = self;
        *tls || ca.is_some() || cert.is_some() || private_key.is_some() || server_name.is_some()
    }

    fn tls(&self) -> Result<Option<Tls>, Error> {
        let Self { ca, cert, private_key, server_name, .. } = self;
        if !self.wants_tls() {
            return Ok(None);
        }
        let mut tls = Tls::new();
        if let Some(ca) = ca {
            tls = tls.ca_file(ca)?;
        }
        tls = match (cert, private_key) {
            (Some(cert), Some(key)) => tls.identity_files(cert, key)?,
            (None, None) => tls,
            (Some(cert), None) => {
                let cert = cert.display();
                return Err(Error::Refused(format!("--cert {cert} needs its key: add --key")));
            }
            (None, Some(key)) => {
                let key = key.display();
                return Err(Error::Refused(format!("--key {key} has no certificate: add --cert")));
            }
        };
        if let Some(name) = server_name {
            tls = tls.server_name(name);
        }
        Ok(Some(tls))
    }
}

/// The server that the environment names; empty is as good as unset.
fn environment() -> Result<Option<String>, Error> {
    let target = env::var_os("TINY_CACHE_TARGET").filter(|target| !target.is_empty());
    target.map(OsString::into_string).transpose().map_err(|target| {
        Error::Refused(format!("TINY_CACHE_TARGET: `{}` is not UTF-8", target.display()))
    })
}

/// Reads a time to wait.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(duration),
        _ => Err("expected a duration with a unit, above zero and up to 24h, such as 500ms or 2s"),
    }
}

fn retries(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|retries| *retries <= MOST_RETRIES)
        .ok_or_else(|| format!("expected a whole number from 0 to {MOST_RETRIES}"))
}

fn request_id(text: &str) -> Result<String, &'static str> {
    if !text.trim().is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(text.to_owned())
    } else {
        Err("expected visible ASCII")
    }
}
