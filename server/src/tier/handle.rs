//! What commands call: the near part first, then the tier.

use tiny_cache_proto::key::{Key, Namespace};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use super::{
    ask::{Ask, Down, Write},
    figures::Figures,
    layout::Layout,
};
use crate::store::{Lookup, Outcome, StoreHandle};

/// The tier as a worker asks it.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    layout: Layout,
    asks: UnboundedSender<Ask>,
    figures: Figures,
}

/// An answer that is on its way, or there already.
#[derive(Debug)]
enum Pending {
    There(Lookup),
    Comes(oneshot::Receiver<Result<Lookup, Down>>),
}

impl Tier {
    pub(super) fn new(layout: Layout, asks: UnboundedSender<Ask>, figures: Figures) -> Self {
        Self { layout, asks, figures }
    }

    /// Counts values that were given because they were near.
    pub(crate) fn count_near(&self, store: &StoreHandle, namespace: Namespace<'_>, hits: usize) {
        for _ in 0..hits {
            store.count_read(namespace, true);
        }
        self.figures.count_near_hits(hits as u64);
    }

    /// Reads a value, and counts a hit or a miss. It is a miss, too, if the tier does not answer.
    pub(crate) async fn get(&self, store: &StoreHandle, key: Key<'_>) -> Lookup {
        if let Some(found) = self.take_near(store, key) {
            return found;
        }
        let found = self.settle(self.ask(key)).await;
        store.count_read(key.namespace(), found.is_hit());
        found
    }

    /// As [`Self::get`], without counting it as a read, and without a miss for want of an answer.
    ///
    /// # Errors
    /// [`Down`], when the tier does not answer.
    pub(crate) async fn find(&self, store: &StoreHandle, key: Key<'_>) -> Result<Lookup, Down> {
        match store.peek(key) {
            Lookup::Miss => self.ask(key).await.unwrap_or(Err(Down::Apart)),
            found @ Lookup::Hit(_) => Ok(found),
        }
    }

    /// Reads values, in the order of the keys. All that are not near are asked for before the first
    /// is waited for, so that they share a pipeline.
    pub(crate) async fn get_all<E>(
        &self,
        store: &StoreHandle,
        keys: impl Iterator<Item = Result<Key<'_>, E>>,
    ) -> Vec<Result<Lookup, E>> {
        let pending = keys.map(|key| {
            let key = key?;
            Ok((
                key,
                match self.take_near(store, key) {
                    Some(found) => Pending::There(found),
                    None => Pending::Comes(self.ask(key)),
                },
            ))
        });
        let pending: Vec<_> = pending.collect();
        let mut found = Vec::with_capacity(pending.len());
        for one in pending {
            found.push(match one {
                Ok((_, Pending::There(lookup))) => Ok(lookup),
                Ok((key, Pending::Comes(answer))) => {
                    let lookup = self.settle(answer).await;
                    store.count_read(key.namespace(), lookup.is_hit());
                    Ok(lookup)
                }
                Err(invalid) => Err(invalid),
            });
        }
        found
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

    /// The value if it is near, counted as a hit. A miss counts nothing: it is not known to be one.
    fn take_near(&self, store: &StoreHandle, key: Key<'_>) -> Option<Lookup> {
        let found = near(store, key)?;
        self.count_near(store, key.namespace(), 1);
        Some(found)
    }

    fn ask(&self, key: Key<'_>) -> oneshot::Receiver<Result<Lookup, Down>> {
        let (reply, answer) = oneshot::channel();
        // A loop that is gone drops the other end, which is an answer, too.
        let _ = self.asks.send(Ask::Read(self.layout.encode(key), reply));
        answer
    }

    async fn settle(&self, answer: oneshot::Receiver<Result<Lookup, Down>>) -> Lookup {
        match answer.await {
            Ok(Ok(found)) => return found,
            // It has answered: there is something, and no value.
            Ok(Err(Down::Foreign(_))) => {}
            Ok(Err(_)) | Err(_) => self.figures.count_unanswered_read(),
        }
        Lookup::Miss
    }
}

/// The value if it is near. Nothing is counted: whether the call is admitted is not known yet.
pub(crate) fn near(store: &StoreHandle, key: Key<'_>) -> Option<Lookup> {
    Some(store.peek(key)).filter(Lookup::is_hit)
}
