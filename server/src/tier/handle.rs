//! The tier as workers ask it, and what is near.

use tiny_cache_proto::key::{Key, Namespace};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use super::{
    ask::{Ask, Down, Write},
    figures::Figures,
    layout::Layout,
    primary::ServerAddress,
};
use crate::store::{Lookup, Outcome, StoreHandle};

/// The tier as a worker asks it.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    layout: Layout,
    asks: UnboundedSender<Ask>,
    figures: Figures,
    server: Option<ServerAddress>,
}

impl Tier {
    pub(super) fn new(
        layout: Layout,
        asks: UnboundedSender<Ask>,
        figures: Figures,
        server: Option<ServerAddress>,
    ) -> Self {
        Self { layout, asks, figures, server }
    }

    /// The host and the port of the one server that all is asked of. `None`: there are several.
    pub(crate) fn server(&self) -> Option<&ServerAddress> {
        self.server.as_ref()
    }

    /// Counts values that were given because they were near.
    pub(crate) fn count_near(&self, store: &StoreHandle, namespace: Namespace<'_>, hits: usize) {
        for _ in 0..hits {
            store.count_read(namespace, true);
        }
        self.figures.count_near_hits(hits as u64);
    }

    /// The value if it is near, counted as a hit. A miss counts nothing: it is not known to be one.
    pub(crate) fn take_near(&self, store: &StoreHandle, key: Key<'_>) -> Option<Lookup> {
        let found = near(store, key)?;
        self.count_near(store, key.namespace(), 1);
        Some(found)
    }

    /// Begins to read a value that is not near.
    pub(crate) fn read(
        &self,
        key: Key<'_>,
    ) -> impl Future<Output = Result<Lookup, Down>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        // A loop that is gone drops the other end, which is an answer, too.
        let _ = self.asks.send(Ask::Read(self.layout.encode(key), reply));
        async move { answer.await.unwrap_or(Err(Down::Apart)) }
    }

    /// What a read comes to: a miss, too, if the tier did not answer, which is counted.
    pub(crate) fn found(&self, answer: Result<Lookup, Down>) -> Lookup {
        match answer {
            Ok(found) => return found,
            // It has answered: there is something, and no value.
            Err(Down::Foreign(_)) => {}
            Err(_) => self.figures.count_unanswered_read(),
        }
        Lookup::Miss
    }

    /// Begins a write. It is carried out whether or not the outcome is waited for, and after those
    /// that this worker has begun before.
    pub(crate) fn write(
        &self,
        key: Key<'_>,
        write: Write,
    ) -> impl Future<Output = Result<Outcome, Down>> + Send + use<> {
        let (reply, outcome) = oneshot::channel();
        let sent = self.asks.send(Ask::Write(self.layout.encode(key), write, reply));
        async move {
            // The loop ends with the server alone.
            if sent.is_err() {
                Err(Down::Apart)
            } else {
                outcome.await.unwrap_or(Err(Down::Unsure))
            }
        }
    }
}

/// Whether a value is near, which is no use of it.
pub(crate) fn is_near(store: &StoreHandle, key: Key<'_>) -> bool {
    store.has(key)
}

/// The value if it is near. Nothing is counted: whether the call is admitted is not known yet.
pub(crate) fn near(store: &StoreHandle, key: Key<'_>) -> Option<Lookup> {
    Some(store.peek(key)).filter(Lookup::is_hit)
}
