//! What can be seen of a run while it runs: one writer for each thread, read a few times a
//! second.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crossbeam::utils::CachePadded;

/// The counters of all threads.
#[derive(Default)]
pub(super) struct Live(Vec<Arc<Counters>>);

/// The counters of one thread. Padded: neighbours would take each other's cache line away
/// with every request.
#[derive(Default)]
pub(super) struct Counters(CachePadded<(AtomicU64, AtomicU64)>);

impl Live {
    /// Adds the counters of one more thread.
    pub(super) fn add(&mut self) -> Arc<Counters> {
        let counters = Arc::<Counters>::default();
        self.0.push(Arc::clone(&counters));
        counters
    }

    /// Requests done and, among them, failed.
    pub(super) fn seen(&self) -> (u64, u64) {
        self.0.iter().fold((0, 0), |(done, failed), counters| {
            let (more, of_them) = &*counters.0;
            (done + more.load(Relaxed), failed + of_them.load(Relaxed))
        })
    }
}

impl Counters {
    /// Counts one request.
    pub(super) fn count(&self, failed: bool) {
        self.0.0.fetch_add(1, Relaxed);
        if failed {
            self.0.1.fetch_add(1, Relaxed);
        }
    }
}
