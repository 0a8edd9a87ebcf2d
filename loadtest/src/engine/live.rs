//! What can be seen of a course at any instant: one writer for each thread, read a few times a
//! second. The sums are not of one instant, which progress does not need.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crossbeam::utils::CachePadded;
use serde::{Deserialize, Serialize};

use crate::{target::Answer, transport::CallError};

/// The counters of all threads.
#[derive(Default)]
pub(crate) struct Live(Vec<Arc<Counters>>);

/// The counters of one thread. Padded: neighbours would take each other's cache line away
/// with every request.
#[derive(Default)]
pub(super) struct Counters(CachePadded<Counts>);

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    cpu_nanos: AtomicU64,
}

/// What the counters add up to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Seen {
    /// Requests done.
    pub done: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// CPU time that other processes used for it, in nanoseconds.
    pub cpu_nanos: u64,
}

impl Live {
    /// Adds the counters of one more thread.
    pub(super) fn add(&mut self) -> Arc<Counters> {
        let counters = Arc::<Counters>::default();
        self.0.push(Arc::clone(&counters));
        counters
    }

    /// Adds up what has been counted.
    pub(crate) fn seen(&self) -> Seen {
        self.0.iter().fold(Seen::default(), |seen, counters| {
            let Counts { done, failed, hits, misses, cpu_nanos } = &*counters.0;
            Seen {
                done: seen.done + done.load(Relaxed),
                failed: seen.failed + failed.load(Relaxed),
                hits: seen.hits + hits.load(Relaxed),
                misses: seen.misses + misses.load(Relaxed),
                cpu_nanos: seen.cpu_nanos + cpu_nanos.load(Relaxed),
            }
        })
    }
}

impl Counters {
    /// Counts one request.
    pub(super) fn count(&self, reply: &Result<Answer, CallError>) {
        self.0.done.fetch_add(1, Relaxed);
        match reply {
            Ok(Answer::Read { hits, misses }) => {
                self.0.hits.fetch_add(*hits, Relaxed);
                self.0.misses.fetch_add(*misses, Relaxed);
            }
            Ok(Answer::Done | Answer::Conditional { .. }) => {}
            Err(_) => {
                self.0.failed.fetch_add(1, Relaxed);
            }
        }
    }

    /// Takes over what another process has counted.
    pub(super) fn set(&self, seen: Seen) {
        let Counts { done, failed, hits, misses, cpu_nanos } = &*self.0;
        done.store(seen.done, Relaxed);
        failed.store(seen.failed, Relaxed);
        hits.store(seen.hits, Relaxed);
        misses.store(seen.misses, Relaxed);
        cpu_nanos.store(seen.cpu_nanos, Relaxed);
    }
}
