//! The options of the connection, which every command takes.

mod environment; // the variables that stand in for options
mod secure; // the options for TLS

use std::{
    error::Error as _,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use clap::{Args, ValueHint};
use tiny_cache_client::{Address, Builder, Client, Tls};
use tiny_cache_proto::X_REQUEST_ID;

use self::{
    environment::Given,
    secure::{Secure, TlsArgs},
};
use crate::{
    error::{Error, Target, refused},
    request_id::RequestIds,
    trace::Trace,
};

/// A server on this machine with its default port.
const DEFAULT_TARGET: &str = "localhost:50051";

/// Longest pause before the first retry: a person waits.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Most retries that can be asked for.
const MOST_RETRIES: u32 = 1000;

/// Longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What leads to a server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    // Not clap's `env`, which takes an empty variable for an address, and does not name the
    // variable in errors.
    #[arg(
        long,
        help = "Server: HOST, HOST:PORT or [IPV6]:PORT, with grpc:// or http:// in front if \
                wanted, or for TLS grpcs:// or https://; or several servers, each key on one of \
                them: [NAME=]ADDR[@WEIGHT] with commas between, or dns:///HOST:PORT for all \
                addresses of a name [env: TINY_CACHE_TARGET] [default: localhost:50051]",
        global = true,
        value_name = "ADDR",
        value_hint = ValueHint::Hostname
    )]
    target: Option<String>,

    /// Limit of a call, such as 500ms or 2s, including connecting and all retries; in a batch,
    /// the limit of each try of each part (1 MiB or 1000 items)
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        allow_hyphen_values = true,
        default_value = "5s",
        value_parser = positive_duration
    )]
    pub(crate) timeout: Duration,

    /// Retries within --timeout if the server cannot be reached or takes no calls; a conditional
    /// write is retried only if the server has certainly not executed it
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

    /// File with the bearer token to show; TINY_CACHE_TOKEN may have the token itself
    /// [env: TINY_CACHE_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Send this as x-request-id, which names the call in the server's logs and traces
    #[arg(long, global = true, value_name = "ID", value_parser = request_id)]
    pub(crate) request_id: Option<String>,

    /// Write the x-request-id of each reply to stderr, as x-request-id=ID
    #[arg(long, global = true)]
    pub(crate) show_request_id: bool,

    /// Make the server trace the call, whatever share of calls it samples, and write the trace's
    /// id, or that there is no trace, to stderr
    #[arg(long, global = true)]
    pub(crate) trace: bool,

    /// The trace, once a client was made
    #[arg(skip)]
    traced: OnceLock<Arc<Trace>>,

    #[command(flatten)]
    tls: TlsArgs,
}

impl ConnectionArgs {
    /// The server and the time, as errors name them.
    pub(crate) fn target(&self) -> Result<Target, Error> {
        let address = self.servers()?;
        Ok(Target { address, timeout: self.timeout, option: "--timeout" })
    }

    /// The host of the server, if there is one server.
    pub(crate) fn host(&self) -> Result<String, Error> {
        let servers = self.servers()?;
        let address: Result<Address, _> = servers.parse();
        address.map(|address| address.host().to_owned()).map_err(|_several| {
            refused!("{servers} has several HTTP ports; choose one with --http HOST:PORT")
        })
    }

    /// The settings of TLS, if any option or variable asks for it.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Error> {
        Secure::of(&self.tls)?.tls()
    }

    /// Reports the trace of --trace after the last call.
    pub(crate) fn report_trace(&self) {
        if let Some(trace) = self.traced.get() {
            trace.report();
        }
    }

    /// A client that connects with its first call. For a batch the timeout is that of each try of
    /// each part: a batch may be of any size.
    pub(crate) fn client(&self, is_batch: bool) -> Result<Client, Error> {
        let secure = Secure::of(&self.tls)?;
        let mut builder = Client::builder(self.servers()?)
            .connections(1)
            .health_check_interval(Duration::ZERO)
            .connect_timeout(self.timeout)
            .deadline(self.timeout)
            .retries(self.retries)
            .first_backoff(FIRST_BACKOFF);
        if let Some(tls) = secure.tls()? {
            builder = builder.tls(tls);
        }
        builder = self.with_token(builder)?;
        if let Some(id) = &self.request_id {
            builder = builder.metadata(X_REQUEST_ID, id);
        }
        if !is_batch {
            builder = builder.total_deadline(self.timeout);
        }
        self.in_namespace(self.observed(builder).build()?)
    }

    /// Shows the token that is given, if any. No option has it: others see a command's options.
    fn with_token(&self, builder: Builder) -> Result<Builder, Error> {
        let option = ("--token-file", self.token_file.as_deref());
        let file = environment::path(option, environment::TOKEN_FILE);
        let text = environment::text(("", None), environment::TOKEN)?;
        let ambiguous = |file: &Given<PathBuf>| {
            refused!("{} and TINY_CACHE_TOKEN are both set; unset one of them", file.source)
        };
        Ok(match (file, text) {
            (Some(file), Some(_)) if file.is_variable() => return Err(ambiguous(&file)),
            (Some(file), _) => builder.token_file(file.value),
            (None, Some(text)) => builder.token(text.value),
            (None, None) => builder,
        })
    }

    /// Observes the replies, if --show-request-id or --trace need their metadata.
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
                trace.note(*reply);
            }
            if let Some(ids) = &ids {
                ids.show(*reply);
            }
        })
    }

    fn in_namespace(&self, client: Client) -> Result<Client, Error> {
        let option = ("--namespace", self.namespace.as_deref());
        let Some(name) = environment::text(option, environment::NAMESPACE)? else {
            return Ok(client);
        };
        // Probably an unset variable of a script. Refused, or it would write to the shared keyspace.
        if name.value.trim().is_empty() {
            let variable = environment::text(("", None), environment::NAMESPACE)?.is_some();
            let remedy = match (name.is_variable(), variable) {
                (true, _) => "unset it",
                (false, false) => "leave it out",
                (false, true) => "leave it out and unset TINY_CACHE_NAMESPACE",
            };
            let source = name.source;
            return Err(refused!("{source} is blank; {remedy} for the shared keyspace"));
        }
        client.in_namespace(&name.value).map_err(|error| {
            // The source has the rule alone; the error repeats the name.
            let rule = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            refused!("bad {} `{}`: {rule}", name.source, name.value)
        })
    }

    /// The address, or the servers, as the library reads them. Without a scheme, the TLS settings
    /// decide.
    fn servers(&self) -> Result<String, Error> {
        let given = environment::text(("--target", self.target.as_deref()), environment::TARGET)?;
        let secure = Secure::of(&self.tls)?;
        let target = given.as_ref().map_or(DEFAULT_TARGET, |given| &given.value);
        if target.starts_with("dns:///") {
            return Ok(target.to_owned());
        }
        if !target.contains([',', '=']) {
            return Ok(address(target, given.as_ref(), &secure)?.to_string());
        }
        let servers = target.split(',').map(|server| {
            let (name, rest) = match server.trim().split_once('=') {
                Some((name, rest)) => (format!("{name}="), rest),
                None => (String::new(), server.trim()),
            };
            let (text, weight) = match rest.rsplit_once('@') {
                Some((text, weight)) => (text, format!("@{weight}")),
                None => (rest, String::new()),
            };
            Ok(format!("{name}{}{weight}", address(text, given.as_ref(), &secure)?))
        });
        Ok(servers.collect::<Result<Vec<_>, Error>>()?.join(","))
    }
}

/// The address of one server. Without a scheme, the TLS settings decide.
fn address(target: &str, given: Option<&Given<String>>, secure: &Secure) -> Result<Address, Error> {
    let asked_by = secure.asked_by;
    let is_variable = given.is_some_and(Given::is_variable);
    let prefix = given.map(Given::prefix).unwrap_or_default();
    let scheme = if asked_by.is_some() && !target.contains("://") { "grpcs://" } else { "" };
    // Parsed without our scheme first: an error must show what the user wrote.
    let address: Address = target
        .parse()
        .and_then(|_: Address| format!("{scheme}{target}").parse())
        .map_err(|error| refused!("{prefix}{error}"))?;
    if secure.is_off && is_variable && asked_by.is_none() && address.is_tls() {
        return Err(refused!(
            "{prefix}{address} speaks TLS, but {} is off; unset that, or write grpc:// in front of \
             the address",
            environment::TLS
        ));
    }
    match asked_by {
        Some(source) if !address.is_tls() => Err(refused!(
            "{prefix}{address} is plain, but {source} asks for TLS; leave one of them out, or write \
             grpcs:// in front of the address"
        )),
        _ => Ok(address),
    }
}

/// Parses a timeout.
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
