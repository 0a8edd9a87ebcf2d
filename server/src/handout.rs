//! Hands each new connection to the worker that has the fewest.
//!
//! gRPC clients hold few connections, and hold them long: spreading them by a hash of the
//! peer's address, as SO_REUSEPORT does, leaves cores idle. Here the acceptor alone hands
//! out, and workers only give back, so no lock is needed.

use std::sync::Arc;

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Who holds how many connections.
#[derive(Clone, Debug)]
pub(crate) struct Handout(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    open: Box<[CachePadded<AtomicUsize>]>,
    limit: usize,
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// The right to be open, and the worker that serves the connection. Held from accept until close, so the limit bounds
/// open sockets, not requests.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    counts: Arc<Counts>,
    pub(crate) worker: usize,
}

impl Handout {
    /// Hands out at most `limit` permits at a time.
    pub(crate) fn new(workers: usize, limit: usize) -> Self {
        assert!(workers > 0, "a connection needs a worker");
        Self(Arc::new(Counts {
            open: (0..workers).map(|_| CachePadded::new(AtomicUsize::new(0))).collect(),
            limit,
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    /// Takes a permit for the worker that has the fewest, or none when the limit is reached.
    /// Only the acceptor calls this: with two callers the limit could be passed by one.
    pub(crate) fn take(&self) -> Option<ConnectionPermit> {
        let counts = &*self.0;
        let mut total = 0;
        let mut fewest = (usize::MAX, 0);
        for (worker, open) in counts.open.iter().enumerate() {
            let open = open.load(Ordering::Acquire);
            total += open;
            fewest = fewest.min((open, worker));
        }
        if total >= counts.limit {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let worker = fewest.1;
        counts.open[worker].fetch_add(1, Ordering::AcqRel);
        counts.accepted.fetch_add(1, Ordering::Relaxed);
        Some(ConnectionPermit { counts: self.0.clone(), worker })
    }

    /// Counts a connection that is closed at once for another reason than the limit.
    pub(crate) fn refuse(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Open connections of each worker.
    pub(crate) fn open(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.open.iter().map(|open| open.load(Ordering::Acquire))
    }

    /// Connections handed out so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.0.accepted.load(Ordering::Relaxed)
    }

    /// Connections closed at once so far.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.counts.open[self.worker].fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_gets_as_many_as_the_others() {
        let handout = Handout::new(3, 100);
        let places: Vec<_> = (0..9).map(|_| handout.take().unwrap()).collect();
        assert_eq!(handout.open().collect::<Vec<_>>(), [3, 3, 3]);
        let freed = places.into_iter().filter(|place| place.worker != 1).collect::<Vec<_>>();
        assert_eq!(handout.open().collect::<Vec<_>>(), [3, 0, 3]);
        assert_eq!(handout.take().unwrap().worker, 1);
        drop(freed);
        assert_eq!(handout.open().sum::<usize>(), 0);
    }

    #[test]
    fn one_more_than_the_limit_is_refused_and_counted() {
        let handout = Handout::new(2, 3);
        let mut places: Vec<_> = (0..3).map(|_| handout.take().unwrap()).collect();
        assert!(handout.take().is_none());
        places.pop();
        assert!(handout.take().is_some());
        assert_eq!((handout.accepted(), handout.refused()), (4, 1));
    }
}
