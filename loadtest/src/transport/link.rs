//! One connection at a time and the calls over it.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    fmt::Display,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use thiserror::Error;
use tiny_cache_client::{
    Ttl,
    transport::{ConnectError, Connection, Endpoint, Failure, Head, Reach, rpc},
};
use tiny_cache_proto::cache::{
    CacheLookup, CacheResponse, CacheStats, CacheStatus, ConditionalCacheResponse,
    ConditionalCacheStatus,
};
use tokio::{
    sync::Mutex,
    task,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::CallError;

/// Pause between two tries to connect: short beside any patience worth having.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How often a call is sent again at most: a peer that hands everything back is a failure.
const MOST_RESENDS: usize = 16;

/// How a link is made, and what holds for its calls.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Where to.
    pub endpoint: Endpoint,
    /// How long it is tried again at the start when nothing answers there yet.
    pub patience: Duration,
    /// What goes with every call, for each keyspace: never none.
    pub heads: Arc<[Head]>,
    /// How long a call may take.
    pub timeout: Duration,
}

/// No connection could be made in time.
#[derive(Debug, Error)]
#[error("cannot reach {target} within {}: {cause}", humantime::format_duration(*patience))]
pub struct Unreachable {
    target: String,
    patience: Duration,
    cause: String,
}

impl Unreachable {
    /// Says that nothing usable answered at `target` for as long as `patience`.
    #[must_use]
    pub fn new(target: &impl Display, patience: Duration, cause: String) -> Self {
        Self { target: target.to_string(), patience, cause }
    }
}

/// What a Get found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// A live value.
    Hit(Bytes),
    /// Nothing, or nothing any more.
    Miss,
}

/// A way to the server for one thread.
#[derive(Debug)]
pub struct Link {
    dial: Dial,
    current: RefCell<Rc<Connection>>,
    /// Held while a connection is made in place of one that ended, so that its callers do
    /// not make one each.
    replacing: Mutex<()>,
    resent: Cell<u64>,
}

impl Link {
    /// Connects, again and again until it works or patience runs out.
    ///
    /// # Errors
    ///
    /// Nothing that speaks HTTP/2 answered in time.
    pub async fn open(dial: Dial) -> Result<Self, Unreachable> {
        let current = RefCell::new(Rc::new(patiently(&dial).await?));
        Ok(Self { dial, current, replacing: Mutex::default(), resent: Cell::new(0) })
    }

    /// The calls in one of the dial's keyspaces.
    #[must_use]
    pub fn at(&self, space: usize) -> Calls<'_> {
        Calls { link: self, space }
    }

    /// Asks for the figures of the whole server.
    ///
    /// # Errors
    ///
    /// The call failed or took too long.
    pub async fn stats(&self) -> Result<CacheStats, Failure> {
        self.call(0, &rpc::Stats).await
    }

    /// Makes a call. Where the connection has to be replaced first, that is part of the call
    /// and of its time. A call that the peer handed back unprocessed, as one that goes away
    /// does, is sent again; any other is made once.
    async fn call<R: rpc::Rpc>(&self, space: usize, rpc: &R) -> Result<R::Reply, Failure> {
        let Dial { heads, timeout: limit, .. } = &self.dial;
        let head = &heads[space];
        let end = Instant::now() + *limit;
        if let Some(connection) = self.usable() {
            match connection.call_within(rpc, head, *limit).await {
                Err(failure) if is_handed_back(&failure) => {}
                reply => return reply,
            }
            self.resent.set(self.resent.get() + 1);
        }
        let call = async {
            for _ in 0..MOST_RESENDS {
                let connection = match self.usable() {
                    Some(connection) => connection,
                    None => self.replaced().await?,
                };
                match connection.call(rpc, head).await {
                    Err(failure) if is_handed_back(&failure) => {}
                    reply => return reply,
                }
                self.resent.set(self.resent.get() + 1);
                // The peer may have no room for a stream before others have ended.
                task::yield_now().await;
            }
            self.replaced().await?.call(rpc, head).await
        };
        timeout_at(end, call).await.unwrap_or(Err(Failure::Deadline(*limit)))
    }

    /// Calls that were sent again since this was last asked.
    pub fn take_resent(&self) -> u64 {
        self.resent.take()
    }

    /// The connection, unless it has ended.
    fn usable(&self) -> Option<Rc<Connection>> {
        let current = self.current.borrow();
        (!current.is_retired()).then(|| Rc::clone(&current))
    }

    /// A connection in place of the one that ended.
    async fn replaced(&self) -> Result<Rc<Connection>, ConnectError> {
        let _replacing = self.replacing.lock().await;
        // Another caller may have been first.
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        let connection = Rc::new(Connection::open(&self.dial.endpoint).await?);
        *self.current.borrow_mut() = Rc::clone(&connection);
        Ok(connection)
    }
}

/// Whether the peer did not process the call, and another connection may: it was going away, or
/// refused the stream. What it answered, be it a refusal, is an answer.
fn is_handed_back(failure: &Failure) -> bool {
    matches!(failure, Failure::Unsent(_) | Failure::Lost(_))
        && failure.reach() == Reach::NotExecuted
}

/// The calls in one keyspace.
#[derive(Clone, Copy, Debug)]
pub struct Calls<'link> {
    link: &'link Link,
    space: usize,
}

impl Calls<'_> {
    /// Reads one value.
    ///
    /// # Errors
    ///
    /// The call failed or took too long.
    pub async fn get(&self, key: &str) -> Result<Lookup, CallError> {
        let reply = self.call(&rpc::Get { key }).await?;
        Ok(if reply.found { Lookup::Hit(reply.value) } else { Lookup::Miss })
    }

    /// Writes one value.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or the reply's own status is not OK.
    pub async fn set(&self, key: &str, value: &Bytes, ttl: Ttl) -> Result<(), CallError> {
        accepted(&self.call(&rpc::Set { key, value, ttl: ttl.seconds() }).await?)
    }

    /// Removes one value.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or the reply's own status is not OK.
    pub async fn delete(&self, key: &str) -> Result<(), CallError> {
        accepted(&self.call(&rpc::Delete { key }).await?)
    }

    /// Writes one value unless a live one is there; says whether it did.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or the reply has no outcome.
    pub async fn set_if_absent(
        &self,
        key: &str,
        value: &Bytes,
        ttl: Ttl,
    ) -> Result<bool, CallError> {
        stored(&self.call(&rpc::SetIfAbsent { key, value, ttl: ttl.seconds() }).await?)
    }

    /// Writes one value if `expected` is there; says whether it did.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or the reply has no outcome.
    pub async fn compare_and_set(
        &self,
        key: &str,
        expected: &Bytes,
        value: &Bytes,
        ttl: Ttl,
    ) -> Result<bool, CallError> {
        let ttl = ttl.seconds();
        stored(&self.call(&rpc::CompareAndSet { key, expected, value, ttl }).await?)
    }

    /// Reads many values, in the order of their keys.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or one of its items failed.
    pub async fn multi_get(&self, keys: &[&str]) -> Result<Vec<Lookup>, CallError> {
        let reply = self.call(&rpc::MultiGet { keys }).await?;
        whole(keys.len(), reply.items.len())?;
        let failed = reply.items.iter().find(|item| !item.error.is_empty());
        if let Some(item) = failed {
            return Err(CallError::Item(item.error.clone()));
        }
        let lookup = |item: CacheLookup| {
            if item.found { Lookup::Hit(item.value) } else { Lookup::Miss }
        };
        Ok(reply.items.into_iter().map(lookup).collect())
    }

    /// Writes many values.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or one of its items failed.
    pub async fn multi_set(&self, items: &[rpc::Set<'_>]) -> Result<(), CallError> {
        let reply = self.call(&rpc::MultiSet { items }).await?;
        whole(items.len(), reply.items.len())?;
        match reply.items.into_iter().find(|item| item.status() != CacheStatus::Ok) {
            Some(item) => Err(CallError::Item(item.error)),
            None => Ok(()),
        }
    }

    /// Removes many values.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or one of its items failed.
    pub async fn multi_delete(&self, keys: &[&str]) -> Result<(), CallError> {
        let reply = self.call(&rpc::MultiDelete { keys }).await?;
        whole(keys.len(), reply.items.len())?;
        match reply.items.into_iter().find(|item| item.status() != CacheStatus::Ok) {
            Some(item) => Err(CallError::Item(item.error)),
            None => Ok(()),
        }
    }

    async fn call<R: rpc::Rpc>(&self, rpc: &R) -> Result<R::Reply, Failure> {
        self.link.call(self.space, rpc).await
    }
}

/// Connects with a dial's patience.
async fn patiently(dial: &Dial) -> Result<Connection, Unreachable> {
    let end = Instant::now() + dial.patience;
    let mut cause = "no answer".to_owned();
    loop {
        tokio::select! {
            // The endpoint's own time may end at the same moment; what an earlier try
            // found then says more.
            biased;
            () = sleep_until(end) => break,
            tried = Connection::open(&dial.endpoint) => match tried {
                Ok(connection) => return Ok(connection),
                Err(error) => cause = root_cause(&error),
            },
        }
        if end - Instant::now() <= RETRY_PAUSE {
            break;
        }
        sleep(RETRY_PAUSE).await;
    }
    Err(Unreachable::new(dial.endpoint.address(), dial.patience, cause))
}

/// The last error of a chain, which says what happened in the system's own words.
fn root_cause(mut error: &dyn Error) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// Holds a batch against what was asked for.
fn whole(asked: usize, answered: usize) -> Result<(), CallError> {
    if asked == answered { Ok(()) } else { Err(CallError::BatchSize { asked, answered }) }
}

fn stored(reply: &ConditionalCacheResponse) -> Result<bool, CallError> {
    match reply.status() {
        ConditionalCacheStatus::Stored => Ok(true),
        ConditionalCacheStatus::Exists
        | ConditionalCacheStatus::NotFound
        | ConditionalCacheStatus::Mismatch => Ok(false),
        ConditionalCacheStatus::Unspecified => Err(CallError::NotOk(reply.status)),
    }
}

fn accepted(reply: &CacheResponse) -> Result<(), CallError> {
    match reply.status() {
        CacheStatus::Ok => Ok(()),
        CacheStatus::Unspecified | CacheStatus::Error => Err(CallError::NotOk(reply.status)),
    }
}
