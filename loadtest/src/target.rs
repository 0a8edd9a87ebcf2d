//! Turns an operation into a call on what is driven, and its reply into what is counted.

mod verified; // with values that are checked
mod line; // the way to a server of another system
mod pipeline; // many requests at a time on it
mod redis; // what speaks RESP
mod memcached; // and memcached's text protocol

use tiny_cache_client::transport::rpc;

use self::{
    line::{Line, Route, TlsWay},
    memcached::Memcached,
    redis::Redis,
};
use crate::{
    cli::{Place, ServerArgs, Target},
    error::Error,
    transport::{CallError, Dial, Link, Lookup, Unreachable},
    values::Values,
    workload::{Operation, Write},
};

pub(crate) use self::{memcached::check_key, verified::Verifier};

/// What came back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// A read.
    Read {
        /// Keys that had a value.
        hits: u64,
        /// Keys that had none.
        misses: u64,
    },
    /// A write or a removal.
    Done,
    /// A conditional write.
    Conditional {
        /// Whether the condition held.
        stored: bool,
    },
}

impl Answer {
    fn of<'a>(lookups: impl IntoIterator<Item = &'a Lookup>) -> Self {
        let (mut hits, mut misses) = (0, 0);
        for lookup in lookups {
            match lookup {
                Lookup::Hit(_) => hits += 1,
                Lookup::Miss => misses += 1,
            }
        }
        Self::Read { hits, misses }
    }
}

/// How to get to what is driven.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// Over gRPC.
    Server(Box<Dial>),
    /// As Redis speaks.
    Redis(Box<Route<Redis>>),
    /// As memcached speaks.
    Memcached(Box<Route<Memcached>>),
    /// Nowhere.
    Null,
}

impl Way {
    /// Finds the way. Reads the files of TLS.
    pub(crate) fn find(target: &Target, server: &ServerArgs) -> Result<Self, Error> {
        match target {
            Target::Server(address) => Ok(Self::Server(Box::new(server.dial(address)?))),
            Target::Redis(redis) => {
                let protocol = Redis(redis.clone());
                let tls = match redis.tls {
                    true => Some(TlsWay::new(&redis.place, &server.tls)?),
                    false => refuse_tls(server)?,
                };
                Ok(Self::Redis(Box::new(route(protocol, &redis.place, server, tls)?)))
            }
            Target::Memcached(place) => {
                let protocol = Memcached(place.clone());
                let tls = refuse_tls(server)?;
                Ok(Self::Memcached(Box::new(route(protocol, place, server, tls)?)))
            }
            Target::Null => Ok(Self::Null),
        }
    }

    /// Goes it.
    pub(crate) async fn open(&self) -> Result<Outlet, Unreachable> {
        match self {
            Self::Server(dial) => Ok(Outlet::Server(Box::new(Link::open((**dial).clone()).await?))),
            Self::Redis(route) => Ok(Outlet::Redis(Line::open((**route).clone()).await?.into())),
            Self::Memcached(route) => {
                Ok(Outlet::Memcached(Line::open((**route).clone()).await?.into()))
            }
            Self::Null => Ok(Outlet::Null),
        }
    }
}

/// The way to a server of another system, which does not have all that tiny-cache has.
fn route<P>(
    protocol: P,
    place: &Place,
    server: &ServerArgs,
    tls: Option<TlsWay>,
) -> Result<Route<P>, Error> {
    if !server.namespace.is_empty() {
        return Err(Error::Idle { option: "--namespace", needs: "a tiny-cache server" });
    }
    let (patience, timeout) = (server.connect_timeout, server.timeout);
    Ok(Route { protocol, place: place.clone(), tls, patience, timeout })
}

/// Refuses options of TLS for a target that is plain.
fn refuse_tls(server: &ServerArgs) -> Result<Option<TlsWay>, Error> {
    let tls = &server.tls;
    let options = [
        ("--ca", tls.ca.is_some()),
        ("--cert", tls.cert.is_some()),
        ("--server-name", tls.server_name.is_some()),
    ];
    match options.into_iter().find(|(_, is_there)| *is_there) {
        Some((option, _)) => {
            Err(Error::Idle { option, needs: "a target with TLS, grpcs:// or rediss://" })
        }
        None => Ok(None),
    }
}

/// Where the operations of a connection go.
pub(crate) enum Outlet {
    /// To a server over gRPC.
    Server(Box<Link>),
    /// To a server that speaks as Redis does.
    Redis(Box<Line<Redis>>),
    /// To a server that speaks as memcached does.
    Memcached(Box<Line<Memcached>>),
    /// Every key is there and every condition holds.
    Null,
}

impl Outlet {
    /// The connection, if there is one to a tiny-cache server.
    pub(crate) fn link(&self) -> Option<&Link> {
        match self {
            Self::Server(link) => Some(link),
            Self::Redis(_) | Self::Memcached(_) | Self::Null => None,
        }
    }

    /// What a server of another system says that it is.
    pub(crate) async fn version(&self) -> Option<String> {
        match self {
            Self::Redis(line) => line.version().await,
            Self::Memcached(line) => line.version().await,
            Self::Server(_) | Self::Null => None,
        }
    }

    /// Makes the call of an operation, once.
    pub(crate) async fn issue(
        &self,
        space: usize,
        operation: &Operation,
        values: &Values,
    ) -> Result<Answer, CallError> {
        let link = match self {
            Self::Server(link) => link.at(space),
            Self::Redis(line) => return line.issue(operation, values).await,
            Self::Memcached(line) => return line.issue(operation, values).await,
            Self::Null => return Ok(at_once(operation)),
        };
        let value = |write: &Write| values.value(&write.key, write.size);
        let reply = match operation {
            Operation::Get(key) | Operation::Fetch(Write { key, .. }) => {
                Answer::of([&link.get(key).await?])
            }
            Operation::Set(write) => {
                link.set(&write.key, &value(write), write.ttl).await?;
                Answer::Done
            }
            Operation::Delete(key) => {
                link.delete(key).await?;
                Answer::Done
            }
            Operation::SetIfAbsent(write) => {
                let stored = link.set_if_absent(&write.key, &value(write), write.ttl).await?;
                Answer::Conditional { stored }
            }
            Operation::CompareAndSet(write) => {
                let value = value(write);
                let stored = link.compare_and_set(&write.key, &value, &value, write.ttl).await?;
                Answer::Conditional { stored }
            }
            Operation::MultiGet(keys) => {
                let names: Vec<&str> = keys.iter().map(String::as_str).collect();
                Answer::of(&link.multi_get(&names).await?)
            }
            Operation::MultiSet(writes) => {
                let values: Vec<_> = writes.iter().map(value).collect();
                let items: Vec<_> = writes
                    .iter()
                    .zip(&values)
                    .map(|(Write { key, ttl, .. }, value)| rpc::Set {
                        key,
                        value,
                        ttl: ttl.seconds(),
                    })
                    .collect();
                link.multi_set(&items).await?;
                Answer::Done
            }
        };
        Ok(reply)
    }
}

fn at_once(operation: &Operation) -> Answer {
    match operation {
        Operation::Get(_) | Operation::Fetch(_) => Answer::Read { hits: 1, misses: 0 },
        Operation::MultiGet(keys) => Answer::Read { hits: keys.len() as u64, misses: 0 },
        Operation::Set(_) | Operation::Delete(_) | Operation::MultiSet(_) => Answer::Done,
        Operation::SetIfAbsent(_) | Operation::CompareAndSet(_) => {
            Answer::Conditional { stored: true }
        }
    }
}
