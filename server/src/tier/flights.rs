//! One fetch for each key at a time, and which fetches may fill the near part.
//!
//! A fetch was begun at some moment, and the tier answers it at a later one. Whatever changes the
//! key between that moment and the fill makes its value old. So a change of the key, be it a write
//! of this node or one that the tier tells of, takes from the fetch the right to fill; and since a
//! caller that asks after the change must not get the value from before it, nobody joins the fetch
//! from then on. While a write of this node is under way, no fetch may fill.

use std::collections::HashMap;

use ahash::RandomState;

use super::{ask::ReadReply, layout::TierKey};

/// The number of a fetch.
pub(super) type FetchId = u64;

/// The keys that something is under way for.
#[derive(Debug, Default)]
pub(super) struct Flights {
    keys: HashMap<TierKey, Flight, RandomState>,
    fetches: HashMap<FetchId, Fetch, RandomState>,
    next: FetchId,
}

#[derive(Debug, Default)]
struct Flight {
    /// The fetch that callers may join.
    open: Option<FetchId>,
    /// Writes of this node.
    writes: usize,
}

#[derive(Debug)]
struct Fetch {
    key: TierKey,
    waiting: Vec<ReadReply>,
    may_fill: bool,
}

/// A fetch that has ended.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) key: TierKey,
    pub(super) waiting: Vec<ReadReply>,
    pub(super) may_fill: bool,
}

impl Flights {
    /// A caller waits for a key. Returns the fetch that is to be begun, unless one is joined.
    pub(super) fn join(&mut self, key: &TierKey, waits: ReadReply) -> Option<FetchId> {
        let flight = self.keys.entry(key.clone()).or_default();
        if let Some(fetch) = flight.open.and_then(|id| self.fetches.get_mut(&id)) {
            fetch.waiting.push(waits);
            return None;
        }
        let id = self.next;
        self.next += 1;
        flight.open = Some(id);
        let may_fill = flight.writes == 0;
        self.fetches.insert(id, Fetch { key: key.clone(), waiting: vec![waits], may_fill });
        Some(id)
    }

    /// A fetch has ended.
    pub(super) fn land(&mut self, id: FetchId) -> Option<Landed> {
        let Fetch { key, waiting, may_fill } = self.fetches.remove(&id)?;
        if let Some(flight) = self.keys.get_mut(&key) {
            if flight.open == Some(id) {
                flight.open = None;
            }
            self.forget_if_idle(&key);
        }
        Some(Landed { key, waiting, may_fill })
    }

    /// The tier tells that a key has changed.
    pub(super) fn change(&mut self, key: &TierKey) {
        let Some(flight) = self.keys.get_mut(key) else { return };
        if let Some(fetch) = flight.open.take().and_then(|id| self.fetches.get_mut(&id)) {
            fetch.may_fill = false;
        }
        self.forget_if_idle(key);
    }

    /// Anything may have changed.
    pub(super) fn change_all(&mut self) {
        self.fetches.values_mut().for_each(|fetch| fetch.may_fill = false);
        self.keys.values_mut().for_each(|flight| flight.open = None);
        self.keys.retain(|_, flight| flight.writes > 0);
    }

    /// A write of this node begins.
    pub(super) fn begin_write(&mut self, key: &TierKey) {
        self.change(key);
        self.keys.entry(key.clone()).or_default().writes += 1;
    }

    /// It has ended, in whatever way.
    pub(super) fn end_write(&mut self, key: &TierKey) {
        self.change(key);
        if let Some(flight) = self.keys.get_mut(key) {
            flight.writes = flight.writes.saturating_sub(1);
        }
        self.forget_if_idle(key);
    }

    fn forget_if_idle(&mut self, key: &TierKey) {
        if self.keys.get(key).is_some_and(|flight| flight.writes == 0 && flight.open.is_none()) {
            self.keys.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    fn key(name: &str) -> TierKey {
        super::super::layout::Layout::name(name.as_bytes().to_vec())
    }

    fn join(flights: &mut Flights, name: &str) -> Option<FetchId> {
        flights.join(&key(name), oneshot::channel().0)
    }

    #[test]
    fn callers_of_one_key_share_a_fetch_until_it_ends() {
        let mut flights = Flights::default();
        let first = join(&mut flights, "a").unwrap();
        assert_eq!(join(&mut flights, "a"), None);
        let other = join(&mut flights, "b").unwrap();
        let landed = flights.land(first).unwrap();
        assert_eq!((landed.waiting.len(), landed.may_fill), (2, true));
        assert_ne!(join(&mut flights, "a"), None, "it has ended");
        assert!(flights.land(other).unwrap().may_fill);
        assert!(flights.land(other).is_none());
    }

    /// A fetch that was begun before a change had filled the near part after it, for good.
    #[test]
    fn a_fetch_that_races_with_a_change_neither_fills_nor_is_joined() {
        let mut flights = Flights::default();
        let before = join(&mut flights, "a").unwrap();
        flights.change(&key("a"));
        let after = join(&mut flights, "a").unwrap();
        assert!(!flights.land(before).unwrap().may_fill);
        assert_eq!(join(&mut flights, "a"), None, "the later one is still open");
        assert!(flights.land(after).unwrap().may_fill);
    }

    #[test]
    fn no_fetch_fills_that_a_write_of_this_node_overlaps() {
        for begun_before in [true, false] {
            let mut flights = Flights::default();
            let early = begun_before.then(|| join(&mut flights, "a").unwrap());
            flights.begin_write(&key("a"));
            let fetch = early.unwrap_or_else(|| join(&mut flights, "a").unwrap());
            flights.end_write(&key("a"));
            assert_ne!(join(&mut flights, "a"), None, "who asks after a write gets none before it");
            assert!(!flights.land(fetch).unwrap().may_fill);
        }
    }

    #[test]
    fn after_a_flush_no_fetch_from_before_it_fills() {
        let mut flights = Flights::default();
        let fetch = join(&mut flights, "a").unwrap();
        flights.begin_write(&key("b"));
        flights.change_all();
        assert!(!flights.land(fetch).unwrap().may_fill);
        let during = join(&mut flights, "b").unwrap();
        assert!(!flights.land(during).unwrap().may_fill, "the write is still under way");
        flights.end_write(&key("b"));
        assert!(flights.keys.is_empty() && flights.fetches.is_empty());
    }
}
