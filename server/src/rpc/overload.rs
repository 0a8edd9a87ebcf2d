//! How many calls of the cache may be taken and not yet answered, in the whole server. One more is
//! refused at once, with the time after which to try again, before a byte of its message is kept.
//!
//! Health and reflection are not counted and never refused, so that a server that has too much to
//! do is not taken for one that is dead. A call that comes whole is answered within the poll that
//! reads it: it takes no place, and is refused while others have them all. What waits in a socket is
//! not in flight: a worker takes it when it has answered what came before.

use std::{num::NonZeroUsize, sync::Arc};

use rand::RngExt;
use tiny_cache_proto::NOT_EXECUTED;
use tonic::{Status, metadata::MetadataValue};

use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// When a caller that was refused may try again, in milliseconds: drawn, so that those that were
/// refused together do not come back together.
const PUSHBACK: std::ops::RangeInclusive<u32> = 50..=150;

/// By this name gRPC's clients know it (proposal A6).
const NAME: &str = "grpc-retry-pushback-ms";

/// The places of all workers. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overload(Option<Arc<Places>>);

#[derive(Debug)]
struct Places {
    limit: usize,
    taken: AtomicUsize,
    refused: AtomicU64,
}

/// The place of a call, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<Places>>);

impl Place {
    /// That of a call which needs none.
    pub(super) const FREE: Self = Self(None);
}

impl Overload {
    /// So many places; none: as many as come.
    pub(crate) fn new(limit: Option<NonZeroUsize>) -> Self {
        Self(limit.map(|limit| {
            let (taken, refused) = (AtomicUsize::new(0), AtomicU64::new(0));
            Arc::new(Places { limit: limit.get(), taken, refused })
        }))
    }

    /// Calls that were refused so far.
    pub(crate) fn refused(&self) -> u64 {
        self.0.as_ref().map_or(0, |places| places.refused.load(Ordering::Relaxed))
    }

    /// Whether a call that needs a place for no time has to be refused.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        match &self.0 {
            None => false,
            Some(places) => places.taken.load(Ordering::Relaxed) >= places.limit,
        }
    }

    /// Takes a place, if there is one.
    pub(super) fn enter(&self) -> Option<Place> {
        let Some(places) = &self.0 else { return Some(Place(None)) };
        if places.taken.fetch_add(1, Ordering::Relaxed) >= places.limit {
            places.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Place(Some(places.clone())))
    }

    /// What a call gets that has no place.
    pub(super) fn refuse(&self) -> Status {
        let limit = self.0.as_ref().map_or(0, |places| {
            places.refused.fetch_add(1, Ordering::Relaxed);
            places.limit
        });
        let mut status = Status::unavailable(format!(
            "Too many calls are in flight (max {limit}, CACHE_MAX_IN_FLIGHT)"
        ));
        let pause = rand::rng().random_range(PUSHBACK);
        status.metadata_mut().insert(NAME, MetadataValue::from(pause));
        // The word by which our own client knows that it may repeat any call.
        status.metadata_mut().insert(NOT_EXECUTED, MetadataValue::from_static("1"));
        status
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = &self.0 {
            places.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_the_limit_has_no_place() {
        let overload = Overload::new(NonZeroUsize::new(2));
        let places = [overload.enter(), overload.enter()];
        assert!(places.iter().all(Option::is_some));
        assert!(overload.is_full() && overload.enter().is_none());
        let status = overload.refuse();
        let pause = status.metadata().get(NAME).unwrap().to_str().unwrap();
        assert!((50..=150).contains(&pause.parse::<u32>().unwrap()), "{pause}");
        drop(places);
        assert!(!overload.is_full() && overload.enter().is_some());
        assert_eq!(overload.refused(), 1);
    }

    #[test]
    fn without_a_limit_all_have_a_place() {
        let overload = Overload::default();
        let places: Vec<_> = (0..1000).map(|_| overload.enter()).collect();
        assert!(places.iter().all(Option::is_some) && !overload.is_full());
    }
}
