//! A tiny-cache server, over gRPC. A call that the server hands back unprocessed, as one that
//! shuts down does, is sent again; any other is made once.

use std::sync::Arc;

use http::HeaderValue;
use tiny_cache_client::{
    Address, key_metadata,
    transport::{Connection, Endpoint, Failure, Head, Reach, rpc},
};
use tiny_cache_proto::cache::{
    CacheResponse, CacheStats, CacheStatus, ConditionalCacheResponse, ConditionalCacheStatus,
    MultiCacheResponse,
};
use tokio::{
    task,
    time::{Instant, timeout_at},
};

use super::{
    error::CallError,
    namespace::Namespace,
    reconnecting::{Protocol, Reconnecting},
    route::{LeaseTerms, Route},
};

/// What servers and proxies see this program as.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// How often a call is sent again at most: a peer that hands everything back is a failure.
const MOST_RESENDS: usize = 16;

/// The protocol.
#[derive(Clone, Debug)]
pub(crate) struct TinyCache {
    endpoint: Endpoint,
    /// The metadata of calls, for each keyspace: never none.
    heads: Arc<[Head]>,
    /// The keyspaces, if calls of one key carry it; else none.
    spaces: Arc<[String]>,
    leases: Option<LeaseTerms>,
}

impl TinyCache {
    /// Reads the files of TLS, if the address asks for it.
    pub(super) fn new(address: &Address, route: &Route) -> Result<Self, tiny_cache_client::Error> {
        let mut endpoint = Endpoint::new(address.clone())
            .connect_timeout(route.connect_timeout)
            // Values are as large as the workload says, or as another client made them.
            .max_reply_bytes(usize::MAX);
        if address.is_tls() {
            endpoint = endpoint.tls(&route.tls.read()?)?;
        }
        let head = |namespace: Option<&Namespace>| {
            let mut head = Head::default();
            head.set_user_agent(USER_AGENT);
            if let Some(token) = &route.token {
                head.set_token(token.clone());
            }
            if let Some(namespace) = namespace {
                head.set_namespace(&namespace.name).expect("a namespace that exists is valid");
            }
            head
        };
        let heads = match route.namespaces.as_slice() {
            [] => [head(None)].into(),
            namespaces => namespaces.iter().map(Some).map(head).collect(),
        };
        let spaces = if route.sends_key { route.spaces() } else { Vec::new() };
        Ok(Self { endpoint, heads, spaces: spaces.into(), leases: route.leases })
    }
}

impl Protocol for TinyCache {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, CallError> {
        let connected = Connection::open(&self.endpoint).await;
        connected.map_err(|error| CallError::Failed(error.into()))
    }

    fn has_ended(connection: &Connection) -> bool {
        connection.is_retired()
    }
}

impl Reconnecting<TinyCache> {
    /// The calls in one of the keyspaces.
    pub(super) fn calls(&self, space: usize) -> Calls<'_> {
        Calls { connection: self, space, key: None }
    }

    /// The figures of the whole server.
    pub(crate) async fn stats(&self) -> Result<CacheStats, CallError> {
        self.calls(0).call(&rpc::Stats).await
    }

    /// Removes many values.
    pub(crate) async fn remove(&self, space: usize, keys: &[&str]) -> Result<(), CallError> {
        self.calls(space).all_ok(&rpc::MultiDelete { keys }, keys.len()).await
    }

    /// Calls that were sent again since this was last called.
    pub(crate) fn take_resent(&self) -> u64 {
        self.resent.take()
    }
}

/// The calls in one keyspace.
#[derive(Clone)]
pub(super) struct Calls<'a> {
    connection: &'a Reconnecting<TinyCache>,
    space: usize,
    /// The value of `x-cache-key`.
    key: Option<HeaderValue>,
}

impl Calls<'_> {
    /// The same, for a call of one key, which carries it if the run asks for that.
    pub(super) fn of_key(self, key: &str) -> Self {
        let protocol = &self.connection.protocol;
        let metadata = || key_metadata(protocol.spaces.get(self.space)?, key).ok();
        Self { key: metadata(), ..self }
    }

    /// On which terms a read asks for a lease, if it does.
    pub(super) fn leases(&self) -> Option<LeaseTerms> {
        self.connection.protocol.leases
    }

    /// Makes a call. Where the connection has to be replaced first, that is part of the call
    /// and of its time.
    pub(super) async fn call<R: rpc::Rpc>(&self, rpc: &R) -> Result<R::Reply, CallError> {
        let peer = self.connection;
        let (head, limit) = (&peer.protocol.heads[self.space], peer.timeout);
        let (key, end) = (self.key.as_ref(), Instant::now() + limit);
        if let Some(connection) = peer.usable() {
            match timeout_at(end, connection.call_of_key(rpc, head, key)).await {
                Err(_elapsed) => return Err(Failure::Deadline(limit).into()),
                Ok(Err(failure)) if is_handed_back(&failure) => {}
                Ok(reply) => return Ok(reply?),
            }
            peer.resent.set(peer.resent.get() + 1);
        }
        let again = async {
            for _ in 0..MOST_RESENDS {
                match peer.connection().await?.call_of_key(rpc, head, key).await {
                    Err(failure) if is_handed_back(&failure) => {}
                    reply => return Ok(reply?),
                }
                peer.resent.set(peer.resent.get() + 1);
                // The peer may have no room for a stream before others have ended.
                task::yield_now().await;
            }
            Ok(peer.replaced().await?.call_of_key(rpc, head, key).await?)
        };
        timeout_at(end, again).await.unwrap_or(Err(Failure::Deadline(limit).into()))
    }

    /// Makes a write or a removal.
    pub(super) async fn accepted(
        &self,
        rpc: &impl rpc::Rpc<Reply = CacheResponse>,
    ) -> Result<(), CallError> {
        let reply = self.call(rpc).await?;
        match reply.status() {
            CacheStatus::Ok => Ok(()),
            CacheStatus::Unspecified | CacheStatus::Error => Err(CallError::NotOk(reply.status)),
        }
    }

    /// Makes a conditional write; says whether the condition held.
    pub(super) async fn stored(
        &self,
        rpc: &impl rpc::Rpc<Reply = ConditionalCacheResponse>,
    ) -> Result<bool, CallError> {
        let reply = self.call(rpc).await?;
        match reply.status() {
            ConditionalCacheStatus::Stored => Ok(true),
            ConditionalCacheStatus::Exists
            | ConditionalCacheStatus::NotFound
            | ConditionalCacheStatus::Mismatch => Ok(false),
            ConditionalCacheStatus::Unspecified => Err(CallError::NotOk(reply.status)),
        }
    }

    /// Makes writes or removals, all of which are to succeed.
    pub(super) async fn all_ok(
        &self,
        rpc: &impl rpc::Rpc<Reply = MultiCacheResponse>,
        asked: usize,
    ) -> Result<(), CallError> {
        let items = self.call(rpc).await?.items;
        whole(asked, items.len())?;
        match items.into_iter().find(|item| item.status() != CacheStatus::Ok) {
            Some(item) => Err(CallError::Item(item.error)),
            None => Ok(()),
        }
    }
}

/// Holds a batch against what was asked for.
pub(super) fn whole(asked: usize, answered: usize) -> Result<(), CallError> {
    if asked == answered { Ok(()) } else { Err(CallError::BatchSize { asked, answered }) }
}

/// Whether the peer did not process the call, and another connection may: it was going away, or
/// refused the stream. An answer of its own, even a refusal, is final.
fn is_handed_back(failure: &Failure) -> bool {
    matches!(failure, Failure::Unsent(_) | Failure::Lost(_))
        && failure.reach() == Reach::NotExecuted
}
