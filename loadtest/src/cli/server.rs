//! The options of reaching a server.

use std::time::Duration;

use clap::Args;
use tiny_cache_client::{Address, transport::Head};
use tiny_cache_proto::key::MAX_KEY_CHARS;

use super::{TlsArgs, TlsError, positive_duration};
use crate::{
    transport::{Dial, Namespace},
    usage::ServerMetrics,
};

/// What servers and proxies see this program as.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Where to work, how long to wait, whom to trust.
#[derive(Args, Clone, Debug)]
pub struct ServerArgs {
    /// Namespace to work in; several with commas between: each request is for one of them, and
    /// all have the same keys [default: run and search make up a name, and remove what they wrote;
    /// replay works in the shared keyspace]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub namespace: Vec<Namespace>,

    /// Longest a call may take before it counts as failed, such as 500ms or 2s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,

    /// How long to try to connect at the start
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = positive_duration)]
    pub connect_timeout: Duration,

    /// The server's page of Prometheus metrics, to read its CPU time and memory from [default:
    /// the process that listens at the target, if that is of this machine]
    #[arg(long, value_name = "URL")]
    pub server_metrics: Option<ServerMetrics>,

    /// TLS
    #[command(flatten)]
    pub tls: TlsArgs,
}

impl ServerArgs {
    /// How a connection to `target` is to be made. Reads the files of TLS.
    ///
    /// # Errors
    ///
    /// TLS cannot be spoken as asked for.
    pub fn dial(&self, target: &Address) -> Result<Dial, TlsError> {
        let endpoint = self
            .tls
            .endpoint(target)?
            .connect_timeout(self.connect_timeout)
            // Values are as large as the workload says, or as another client made them.
            .max_reply_bytes(usize::MAX);
        let head = |namespace: Option<&Namespace>| {
            let mut head = Head::default();
            head.set_user_agent(USER_AGENT);
            if let Some(namespace) = namespace {
                head.set_namespace(namespace.as_str()).expect("a namespace that exists is valid");
            }
            head
        };
        let heads = match self.namespace.as_slice() {
            [] => [head(None)].into(),
            namespaces => namespaces.iter().map(Some).map(head).collect(),
        };
        Ok(Dial { endpoint, patience: self.connect_timeout, heads, timeout: self.timeout })
    }

    /// The keyspaces to work in: never none.
    #[must_use]
    pub fn spaces(&self) -> Vec<String> {
        match self.namespace.as_slice() {
            [] => vec![String::new()],
            namespaces => namespaces.iter().map(ToString::to_string).collect(),
        }
    }

    /// Longest key that every one of them takes, in characters.
    #[must_use]
    pub fn max_key_chars(&self) -> usize {
        let longest = self.namespace.iter().map(Namespace::max_key_chars).min();
        longest.unwrap_or(MAX_KEY_CHARS)
    }
}
