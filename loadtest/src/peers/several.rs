//! Several tiny-cache servers, through the client library: its ring chooses the server of each key,
//! and its retries and failover are those of an application. One client for all threads: they must
//! agree on who is down, or a key has two holders. Also counts what each server got.

use std::{sync::Arc, time::Duration, time::Instant};

use smallvec::SmallVec;
use tiny_cache_client::{Client, Error, ServerInfo, Stats};
use tokio::time::sleep;

use super::{
    address::ServerList,
    error::{CallError, Unreachable},
    reconnecting::RETRY_PAUSE,
    route::{LeaseTerms, Route},
    server_counts::{Seen, ServerCounts},
};
use crate::workload::Operation;

/// Longest that one try of a call may take, as an application has it by default.
const LONGEST_TRY: Duration = Duration::from_secs(1);

/// The servers of a ring, for any number of threads.
#[derive(Clone, Debug)]
pub(crate) struct Several {
    /// A client for each keyspace, all over the same connections: never none.
    clients: Arc<[Client]>,
    counts: Arc<ServerCounts>,
    target: String,
    patience: Duration,
    leases: Option<LeaseTerms>,
}

impl Several {
    /// Reads the files of TLS, if an address asks for it. Connects to nothing.
    pub(super) fn new(list: &ServerList, route: &Route) -> Result<Self, Error> {
        let mut builder = Client::builder(list.as_str())
            .connections(route.connections_each)
            .connect_timeout(route.connect_timeout)
            .deadline(route.timeout.min(LONGEST_TRY))
            .total_deadline(route.timeout)
            // Values are as large as the workload says, or as another client made them.
            .max_reply_bytes(usize::MAX)
            .key_metadata(route.sends_key);
        if list.is_tls() || (list.is_name() && route.tls.is_any()) {
            builder = builder.tls(route.tls.read()?);
        }
        if let Some(token) = &route.token {
            builder = builder.shared_token(token.clone());
        }
        let client = builder.build()?;
        let spaces = route.spaces();
        let clients = spaces.iter().map(|space| client.in_namespace(space));
        Ok(Self {
            clients: clients.collect::<Result<_, _>>()?,
            counts: Arc::default(),
            target: list.as_str().to_owned(),
            patience: route.connect_timeout,
            // A read waits within one try.
            leases: route
                .leases
                .map(|terms| LeaseTerms { wait: terms.wait.min(LONGEST_TRY / 2), ..terms }),
        })
    }

    /// Connects to every server, again and again until it works or patience runs out.
    pub(super) async fn reached(&self) -> Result<(), Unreachable> {
        let end = Instant::now() + self.patience;
        loop {
            let Err((target, error)) = self.reach_all().await else { return Ok(()) };
            if Instant::now() + RETRY_PAUSE >= end {
                let cause = error.to_string();
                return Err(Unreachable { target, patience: self.patience, cause });
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn reach_all(&self) -> Result<(), (String, Error)> {
        let client = &self.clients[0];
        let servers = client.servers().await.map_err(|error| (self.target.clone(), error))?;
        for server in servers {
            let reach = async { client.on_server(server.name()).await?.health().await };
            match reach.await {
                Err(error) if error.kind() != tiny_cache_client::ErrorKind::Unimplemented => {
                    return Err((server.name().to_owned(), error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What each server got.
    pub(crate) fn counts(&self) -> &Arc<ServerCounts> {
        &self.counts
    }

    /// The servers as they are known, and the figures of those that give them.
    pub(crate) async fn stats(&self) -> Vec<(ServerInfo, Option<Stats>)> {
        let client = &self.clients[0];
        let mut all = Vec::new();
        for server in client.servers().await.unwrap_or_default() {
            let stats = async { client.on_server(server.name()).await?.stats().await };
            let stats = stats.await.ok();
            all.push((server, stats));
        }
        all
    }

    /// Removes many values, each at its server of now.
    pub(crate) async fn remove(&self, space: usize, keys: &[&str]) -> Result<(), CallError> {
        let results = self.clients[space].delete_many(keys.iter().copied()).await?;
        results.into_iter().collect::<Result<(), _>>().map_err(CallError::from)
    }

    /// Begins the call of an operation.
    pub(super) fn ask(&self, space: usize, operation: &Operation) -> Asked<'_> {
        let client = &self.clients[space];
        let keys = operation.keys().map(|key| {
            // A key that is refused has no server; the call has the error.
            let server = client.holder_of(key).ok().flatten();
            (server.unwrap_or_else(|| Arc::from("none")), Seen::Nothing)
        });
        let (counts, leases, keys) = (&self.counts, self.leases, keys.collect());
        Asked { client, counts, leases, keys, begun: Instant::now() }
    }
}

/// A call under way.
pub(super) struct Asked<'a> {
    pub(super) client: &'a Client,
    /// On which terms a read asks for a lease, if it does.
    pub(super) leases: Option<LeaseTerms>,
    counts: &'a ServerCounts,
    /// For each key, in the order of the operation, its server and what became of it.
    keys: SmallVec<[(Arc<str>, Seen); 1]>,
    begun: Instant,
}

impl Asked<'_> {
    /// Notes whether a key had a value.
    pub(super) fn read(&mut self, place: usize, is_there: bool) {
        self.keys[place].1 = if is_there { Seen::Hit } else { Seen::Miss };
    }

    /// Notes that an item of a batch failed.
    pub(super) fn failed(&mut self, place: usize) {
        self.keys[place].1 = Seen::Failed;
    }

    /// Notes that every key had a value, as it is without a peer.
    pub(super) fn read_all(&mut self, operation: &Operation) {
        let reads = matches!(
            operation,
            Operation::Get(_) | Operation::Fetch(_) | Operation::Read(_) | Operation::MultiGet(_)
        );
        if reads {
            self.keys.iter_mut().for_each(|(_, seen)| *seen = Seen::Hit);
        }
    }

    /// Counts the call, with a reply or without.
    pub(super) fn end(self, is_answered: bool) {
        let keys = self.keys.iter().map(|(server, seen)| (server, *seen));
        self.counts.count(keys, is_answered, self.begun.elapsed());
    }
}
