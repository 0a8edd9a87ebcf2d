//! The state that the clones of a client share, and the handle that calls reach it by.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tiny_cache_proto::key::{Key, Namespace};

use crate::{
    error::Result,
    flights::Flights,
    options::set_namespace,
    patience::Patience,
    retry::RetryBudget,
    ring_key::ring_key,
    servers::{Member, Servers},
    transport::Head,
    ttl::Ttl,
};

/// Items in one part of a batch, unless the server was found to accept fewer. Ten times as many
/// would fit, but a busy server could not answer four such parts within the deadline of a try,
/// and other calls would wait behind them.
const BATCH_ITEMS: usize = 1_000;

/// A client's state and the scope of its calls.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) core: Arc<Core>,
    pub(crate) scope: Arc<Scope>,
}

/// The state of a client and all its clones.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) servers: Servers,
    pub(crate) budget: RetryBudget,
    pub(crate) patience: Patience,
    pub(crate) ttl: Ttl,
    /// The keys that callers of this process fill.
    pub(crate) flights: Flights,
    /// Items that the server accepts in one batch, as far as is known.
    batch_items: AtomicUsize,
}

/// The settings that may differ between the clones of a client.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) head: Head,
    /// Empty for the shared keyspace.
    pub(crate) namespace: String,
    /// Whether calls of one key carry it as metadata.
    pub(crate) sends_key: bool,
    /// The only server of a ring that these calls go to.
    pub(crate) only: Option<Arc<Member>>,
}

impl Handle {
    pub(crate) fn new(core: Core, scope: Scope) -> Self {
        Self { core: Arc::new(core), scope: Arc::new(scope) }
    }

    /// The same state, with another keyspace.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Result<Self> {
        let mut scope = Scope::clone(&self.scope);
        set_namespace(&mut scope.head, namespace)?;
        namespace.clone_into(&mut scope.namespace);
        Ok(Self { core: self.core.clone(), scope: Arc::new(scope) })
    }
}

impl Scope {
    /// The text by which a key in this keyspace is placed on a ring.
    pub(crate) fn ring_key(&self, key: &str) -> Result<String> {
        let namespace = Namespace::parse(&self.namespace)?;
        Key::parse(namespace, key)?;
        Ok(ring_key(namespace, key))
    }

    /// The same settings, for calls to this server of a ring alone.
    pub(crate) fn only(&self, member: Arc<Member>) -> Self {
        Self { only: Some(member), ..self.clone() }
    }
}

impl Core {
    pub(crate) fn new(servers: Servers, budget: RetryBudget, patience: Patience, ttl: Ttl) -> Self {
        let (flights, batch_items) = (Flights::default(), AtomicUsize::new(BATCH_ITEMS));
        Self { servers, budget, patience, ttl, flights, batch_items }
    }

    pub(crate) fn batch_items(&self) -> usize {
        self.batch_items.load(Ordering::Relaxed)
    }

    /// Remembers that the server accepts batches of about this many items and no more.
    pub(crate) fn learn_batch_items(&self, items: usize) {
        self.batch_items.fetch_min(items.max(1), Ordering::Relaxed);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.servers.end_upkeep();
    }
}
