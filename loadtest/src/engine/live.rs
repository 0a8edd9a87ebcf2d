//! What can be seen of a course at any instant: one writer for each thread, read a few times a
//! second. The sums are not of one instant, which progress does not need.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

use crate::peers::{Answer, CallError, ServerCounts};

/// The counters of all threads.
#[derive(Default)]
pub(crate) struct Live {
    threads: Vec<Arc<Counters>>,
    /// The counts of each server, if there are several.
    servers: Option<Arc<ServerCounts>>,
}

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
    sent: AtomicU64,
    waiting: AtomicU64,
    /// When the last failure was, and its kind. Locked by no other thread but one that looks.
    failure: Mutex<Option<(Instant, &'static str)>>,
}

/// What the counters add up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Requests done.
    pub done: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// Requests put on the wire, fills left out.
    pub sent: u64,
    /// Requests whose instant has come and for which there is no room on the wire yet.
    pub waiting: u64,
}

impl Seen {
    /// Requests on the wire.
    pub(crate) fn in_flight(&self) -> u64 {
        // The two were not read at one instant.
        self.sent.saturating_sub(self.done)
    }

    /// What was counted since. What waits is what waits now.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            done: self.done - before.done,
            failed: self.failed - before.failed,
            hits: self.hits - before.hits,
            misses: self.misses - before.misses,
            sent: self.sent - before.sent,
            waiting: self.waiting,
        }
    }
}

impl Live {
    /// No threads yet.
    pub(super) fn new(servers: Option<Arc<ServerCounts>>) -> Self {
        Self { threads: Vec::new(), servers }
    }

    /// The counts of each server, if there are several.
    pub(crate) fn servers(&self) -> Option<&Arc<ServerCounts>> {
        self.servers.as_ref()
    }

    /// Adds the counters of one more thread.
    pub(super) fn add(&mut self) -> Arc<Counters> {
        let counters = Arc::<Counters>::default();
        self.threads.push(Arc::clone(&counters));
        counters
    }

    /// Adds up what has been counted.
    pub(crate) fn seen(&self) -> Seen {
        self.threads.iter().fold(Seen::default(), |seen, counters| {
            let Counts { done, failed, hits, misses, sent, waiting, failure: _ } = &*counters.0;
            Seen {
                done: seen.done + done.load(Relaxed),
                failed: seen.failed + failed.load(Relaxed),
                hits: seen.hits + hits.load(Relaxed),
                misses: seen.misses + misses.load(Relaxed),
                sent: seen.sent + sent.load(Relaxed),
                waiting: seen.waiting + waiting.load(Relaxed),
            }
        })
    }

    /// The kind of the last failure, if there was one.
    pub(crate) fn last_failure(&self) -> Option<&'static str> {
        let failures = self.threads.iter().filter_map(|counters| *counters.0.failure.lock());
        failures.max_by_key(|(at, _)| *at).map(|(_, kind)| kind)
    }
}

impl Counters {
    /// Counts one request that goes out.
    pub(super) fn sent(&self) {
        self.0.sent.fetch_add(1, Relaxed);
    }

    /// Notes how many wait for room on the wire.
    pub(super) fn waiting(&self, requests: usize) {
        self.0.waiting.store(requests as u64, Relaxed);
    }

    /// Counts one request that is done.
    pub(super) fn count(&self, reply: &Result<Answer, CallError>) {
        self.0.done.fetch_add(1, Relaxed);
        match reply {
            Ok(answer) => {
                let [hits, misses] = answer.reads();
                if hits + misses > 0 {
                    self.0.hits.fetch_add(hits, Relaxed);
                    self.0.misses.fetch_add(misses, Relaxed);
                }
            }
            Err(error) => {
                self.0.failed.fetch_add(1, Relaxed);
                *self.0.failure.lock() = Some((Instant::now(), error.name()));
            }
        }
    }
}
