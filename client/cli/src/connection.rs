//! The server, and how it is spoken to: the options that every command takes.

mod environment; // the variables that stand in for options
mod secure; // TLS

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use clap::{Args, ValueHint};
use tiny_cache_client::{Address, Builder, Client};

use self::{environment::Given, secure::Secure};
use crate::{
    error::{Error, Place},
    request_id::RequestIds,
    trace::Trace,
};

/// A server on this machine with its default port.
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

    /// Retries within --timeout, for a server that cannot be reached or turns the call away;
    /// conditional writes are repeated only where it is certain that they were not done
    #[arg(
        long,
        global = true,
        value_name = "N",
        allow_hyphen_values = true,
        default_value = "0",
        value_parser = retries
    )]
    pub(crate) retries: u32,

    /// Namespace to work in [env: TINY_CACHE_NAMESPACE] [default: the shared keyspace]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// Send this as x-request-id: the server's logs and traces name the call by it, and an error
    /// that they explain prints it
    #[arg(long, global = true, value_name = "ID", value_parser = request_id)]
    pub(crate) request_id: Option<String>,

    /// Write the x-request-id of each reply to stderr, as x-request-id=ID
    #[arg(long, global = true)]
    pub(crate) show_request_id: bool,

    /// Have the server trace the call, whatever part of calls it samples; the trace's id goes to
    /// stderr, or a line that there is no trace
    #[arg(long, global = true)]
    pub(crate) trace: bool,

    /// The trace, once a client was made
    #[arg(skip)]
    traced: OnceLock<Arc<Trace>>,

    /// Speak TLS; so does grpcs:// in front of the address, and any of the options below [env:
    /// TINY_CACHE_TLS=true]
    #[arg(long, global = true)]
    pub(crate) tls: bool,

    /// Trust the authorities of this PEM file, not the system's [env: TINY_CACHE_CA]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Option<PathBuf>,

    /// Show this certificate (PEM) to the server; needs --key [env: TINY_CACHE_CERT]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) cert: Option<PathBuf>,

    /// Private key (PEM) of --cert [env: TINY_CACHE_KEY]
    #[arg(long = "key", global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) private_key: Option<PathBuf>,

    /// Expect this name in the server's certificate, not the address's [env:
    /// TINY_CACHE_SERVER_NAME]
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
        let secure = Secure::of(self)?;
        let mut builder = Client::builder(self.address()?.to_string())
            .connections(1)
            .health_check_interval(Duration::ZERO)
            .connect_timeout(self.timeout)
            .deadline(self.timeout)
            .retries(self.retries)
            .first_backoff(FIRST_BACKOFF);
        if let Some(tls) = secure.tls()? {
            builder = builder.tls(tls);
        }
        if let Some(id) = &self.request_id {
            builder = builder.metadata("x-request-id", id);
        }
        let client = finish(self.observed(builder)).build()?;
        self.in_namespace(client)
    }

    /// Has the replies looked at, where something of their metadata is wanted.
    fn observed(&self, mut builder: Builder) -> Builder {
        let ids = self.show_request_id.then(RequestIds::default);
        let trace = self.trace.then(|| self.traced.get_or_init(|| Arc::new(Trace::new())).clone());
        if let Some(trace) = &trace {
            builder = builder.metadata("traceparent", trace.sampled());
        }
        if ids.is_none() && trace.is_none() {
            return builder;
        }
        builder.on_reply(move |reply| {
            if let Some(trace) = &trace {
                trace.note(reply);
            }
            if let Some(ids) = &ids {
                ids.show(reply);
            }
        })
    }

    fn in_namespace(&self, client: Client) -> Result<Client, Error> {
        let option = ("--namespace", self.namespace.as_deref());
        let Some(name) = environment::text(option, environment::NAMESPACE)? else {
            return Ok(client);
        };
        // Most likely a variable that is not set; the shared keyspace would take it badly.
        if name.value.trim().is_empty() {
            let variable = environment::text(("", None), environment::NAMESPACE)?.is_some();
            let remedy = match (name.is_variable(), variable) {
                (true, _) => "unset it",
                (false, false) => "leave it out",
                (false, true) => "leave it out and unset TINY_CACHE_NAMESPACE",
            };
            let source = name.source;
            return Err(Error::Refused(format!(
                "{source} is blank; {remedy} for the shared keyspace"
            )));
        }
        client.in_namespace(&name.value).map_err(|error| {
            Error::Refused(format!("bad {} `{}`: {error}", name.source, name.value))
        })
    }

    /// The address; where it leaves TLS open, the TLS settings decide.
    fn address(&self) -> Result<Address, Error> {
        let given = environment::text(("--target", self.target.as_deref()), environment::TARGET)?;
        let Secure { asked_by, is_off, .. } = Secure::of(self)?;
        let is_variable = given.as_ref().is_some_and(Given::is_variable);
        let prefix = given.as_ref().map(Given::prefix).unwrap_or_default();
        let target = given.map_or_else(|| DEFAULT_TARGET.to_owned(), |given| given.value);
        let scheme = if asked_by.is_some() && !target.contains("://") { "grpcs://" } else { "" };
        // Checked without the scheme of ours first: an error shows what was written.
        let address: Address = target
            .parse()
            .and_then(|_: Address| format!("{scheme}{target}").parse())
            .map_err(|error| Error::Refused(format!("{prefix}{error}")))?;
        if is_off && is_variable && asked_by.is_none() && address.is_tls() {
            return Err(Error::Refused(format!(
                "{prefix}{address} speaks TLS, but {} is off; unset that, or write grpc:// in \
                 front of the address",
                environment::TLS
            )));
        }
        match asked_by {
            Some(source) if !address.is_tls() => Err(Error::Refused(format!(
                "{prefix}{address} is plain, but {source} asks for TLS; leave one of them out, or \
                 write grpcs:// in front of the address"
            ))),
            _ => Ok(address),
        }
    }
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
