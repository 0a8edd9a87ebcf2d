//! Chooses the protocol by the target.

use std::sync::Arc;

use super::{
    address::{ServerList, Target},
    answer::Answer,
    error::{CallError, Unreachable},
    memcached::Memcached,
    operation::{self, Exchange},
    payloads::{Payloads, Verifier},
    reconnecting::Reconnecting,
    redis::Redis,
    route::Route,
    server_counts::ServerCounts,
    several::Several,
    tiny_cache::TinyCache,
};
use crate::{
    values::Values,
    workload::{Operation, operations},
};

/// A way to make connections, for any number of threads.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    route: Route,
    protocol: Protocol,
}

#[derive(Clone, Debug)]
enum Protocol {
    TinyCache(TinyCache),
    Several(Several),
    NullRing(Several),
    Redis(Redis),
    Memcached(Memcached),
    Null,
}

/// Where the operations of a connection go.
pub(crate) enum BackendConnection {
    /// To a tiny-cache server.
    TinyCache(Box<Reconnecting<TinyCache>>),
    /// To several tiny-cache servers.
    Several(Several),
    /// Nowhere, but the ring of servers chooses one.
    NullRing(Several),
    /// To a server that speaks RESP.
    Redis(Box<Reconnecting<Redis>>),
    /// To a server that speaks memcached's text protocol.
    Memcached(Box<Reconnecting<Memcached>>),
    /// Nowhere: every key is there and every condition holds.
    Null,
}

impl Backend {
    /// Chooses the protocol, and reads the files of TLS.
    ///
    /// # Errors
    ///
    /// A file cannot be used.
    pub(crate) fn new(route: &Route) -> Result<Self, tiny_cache_client::Error> {
        let protocol = match &route.target {
            Target::TinyCache(address) => Protocol::TinyCache(TinyCache::new(address, route)?),
            Target::Redis(address) => Protocol::Redis(Redis::new(address, &route.tls)?),
            Target::Memcached(address) => Protocol::Memcached(Memcached::new(address)),
            Target::Several(list) => Protocol::Several(Several::new(list, route)?),
            Target::NullRing(servers) => {
                Protocol::NullRing(Several::new(&ServerList::made_up(*servers), route)?)
            }
            Target::Null => Protocol::Null,
        };
        Ok(Self { route: route.clone(), protocol })
    }

    /// The counts of each server, if there are several.
    pub(crate) fn server_counts(&self) -> Option<&Arc<ServerCounts>> {
        match &self.protocol {
            Protocol::Several(several) | Protocol::NullRing(several) => Some(several.counts()),
            _ => None,
        }
    }

    /// Connects, again and again until it works or `connect_timeout` is over.
    pub(crate) async fn open(&self) -> Result<BackendConnection, Unreachable> {
        let route = &self.route;
        Ok(match self.protocol.clone() {
            Protocol::TinyCache(protocol) => {
                BackendConnection::TinyCache(Reconnecting::open(protocol, route).await?.into())
            }
            Protocol::Several(several) => {
                several.reached().await?;
                BackendConnection::Several(several)
            }
            Protocol::NullRing(several) => BackendConnection::NullRing(several),
            Protocol::Redis(protocol) => {
                BackendConnection::Redis(Reconnecting::open(protocol, route).await?.into())
            }
            Protocol::Memcached(protocol) => {
                BackendConnection::Memcached(Reconnecting::open(protocol, route).await?.into())
            }
            Protocol::Null => BackendConnection::Null,
        })
    }
}

impl BackendConnection {
    /// The connection, if it is one to a tiny-cache server.
    pub(crate) fn tiny_cache(&self) -> Option<&Reconnecting<TinyCache>> {
        match self {
            Self::TinyCache(connection) => Some(connection),
            _ => None,
        }
    }

    /// The servers, if there are several.
    pub(crate) fn several(&self) -> Option<&Several> {
        match self {
            Self::Several(several) => Some(several),
            _ => None,
        }
    }

    /// Removes many values of one keyspace, where the server has a call for it.
    pub(crate) async fn remove(&self, space: usize, keys: &[&str]) -> Result<(), CallError> {
        match self {
            Self::TinyCache(connection) => connection.remove(space, keys).await,
            Self::Several(several) => several.remove(space, keys).await,
            _ => Ok(()),
        }
    }

    /// Calls that were sent again since this was last called.
    pub(crate) fn take_resent(&self) -> u64 {
        self.tiny_cache().map_or(0, Reconnecting::take_resent)
    }

    /// The name and version that a server of another system gives itself.
    pub(crate) async fn version(&self) -> Option<String> {
        match self {
            Self::Redis(redis) => redis.version().await,
            Self::Memcached(memcached) => memcached.version().await,
            _ => None,
        }
    }

    /// Makes the call of an operation, once. The values that tiny-cache is sent, and those that
    /// it returns, go through the verifier where there is one.
    pub(crate) async fn issue(
        &self,
        space: usize,
        operation: &Operation,
        values: &Values,
        verifier: Option<&Verifier>,
    ) -> Result<Answer, CallError> {
        macro_rules! issue {
            ($([$variant:ident($_payload:ty) $file:ident $_name:literal])*) => {
                match operation {
                    Operation::Fetch(write) => issue!(operation::fetch::Fetch(write)),
                    Operation::Fill(filling) => issue!(operation::fill::Fill(filling)),
                    $(Operation::$variant(payload) => issue!(operation::$file::$variant(payload)),)*
                }
            };
            ($exchange:expr) => {
                match self {
                    Self::TinyCache(connection) => {
                        let payloads = Payloads::new(values, verifier, space);
                        $exchange.tiny_cache(connection.calls(space), payloads).await
                    }
                    Self::Several(several) => {
                        let mut asked = several.ask(space, operation);
                        let payloads = Payloads::new(values, verifier, space);
                        let reply = $exchange.several(&mut asked, payloads).await;
                        asked.end(reply.is_ok());
                        reply
                    }
                    Self::NullRing(several) => {
                        let mut asked = several.ask(space, operation);
                        asked.read_all(operation);
                        let reply = Ok(Answer::without_a_peer(operation));
                        asked.end(reply.is_ok());
                        reply
                    }
                    Self::Redis(redis) => $exchange.redis(redis, values).await,
                    Self::Memcached(memcached) => {
                        operation.keys().try_for_each(super::check_key)?;
                        $exchange.memcached(memcached, values).await
                    }
                    Self::Null => Ok(Answer::without_a_peer(operation)),
                }
            };
        }
        operations!(issue)
    }
}
