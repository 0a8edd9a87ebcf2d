//! What each of several servers got of a run: requests, hits and times, by the server that takes the
//! key when the call begins. All threads add to the same counts. Knows no connections.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::hdr::{growing, record_growing};

/// The counts of one server, warm-up and fills included.
#[derive(Clone, Debug)]
pub(crate) struct ServerCount {
    /// Requests, failed ones among them. A batch is one request at each server that has part of it.
    pub(crate) requests: u64,
    /// Of them, those that failed.
    pub(crate) failed: u64,
    /// Keys read that had a value.
    pub(crate) hits: u64,
    /// Keys read that had none.
    pub(crate) misses: u64,
    /// Nanoseconds from the sending to the reply, retries and pauses included.
    pub(crate) service: Histogram<u64>,
}

impl Default for ServerCount {
    fn default() -> Self {
        Self { requests: 0, failed: 0, hits: 0, misses: 0, service: growing() }
    }
}

/// What became of one key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    Nothing,
    Hit,
    Miss,
    Failed,
}

/// The counts of all servers, by name.
#[derive(Debug, Default)]
pub(crate) struct ServerCounts(Mutex<BTreeMap<Arc<str>, ServerCount>>);

impl ServerCounts {
    /// Counts a request: for each key its server and what became of it. Without a reply it failed
    /// at the servers of the keys that failed, or at all if none is known to have.
    pub(super) fn count<'a>(
        &self,
        keys: impl Iterator<Item = (&'a Arc<str>, Seen)> + Clone,
        is_answered: bool,
        time: Duration,
    ) {
        let is_blamed = keys.clone().any(|(_, seen)| seen == Seen::Failed);
        let mut counts = self.0.lock();
        let mut sorted: Vec<_> = keys.collect();
        sorted.sort_unstable_by(|a, b| a.0.cmp(b.0));
        for of_server in sorted.chunk_by(|a, b| a.0 == b.0) {
            let name = of_server[0].0;
            if !counts.contains_key(name) {
                counts.insert(name.clone(), ServerCount::default());
            }
            let count = counts.get_mut(name).expect("it was just made");
            let number = |seen| of_server.iter().filter(|(_, of)| *of == seen).count() as u64;
            count.requests += 1;
            count.hits += number(Seen::Hit);
            count.misses += number(Seen::Miss);
            if number(Seen::Failed) > 0 || (!is_answered && !is_blamed) {
                count.failed += 1;
            } else {
                record_growing(&mut count.service, time);
            }
        }
    }

    /// Forgets what was counted, such as that of a prefill.
    pub(crate) fn reset(&self) {
        self.0.lock().clear();
    }

    /// What was counted so far.
    pub(crate) fn all(&self) -> BTreeMap<Arc<str>, ServerCount> {
        self.0.lock().clone()
    }

    /// Requests and failed ones of each server, in the order of names.
    pub(crate) fn requests(&self) -> Vec<(Arc<str>, u64, u64)> {
        let counts = self.0.lock();
        counts.iter().map(|(name, count)| (name.clone(), count.requests, count.failed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_at_each_of_its_servers_and_fails_where_a_key_failed() {
        let [a, b]: [Arc<str>; 2] = ["a".into(), "b".into()];
        let counts = ServerCounts::default();
        let millisecond = Duration::from_millis(1);
        let batch = [(&a, Seen::Hit), (&b, Seen::Miss), (&a, Seen::Miss)];
        counts.count(batch.into_iter(), true, millisecond);
        counts.count([(&a, Seen::Hit), (&b, Seen::Failed)].into_iter(), false, millisecond);
        counts.count([(&b, Seen::Nothing)].into_iter(), false, millisecond);
        let all = counts.all();
        let figures = |name: &Arc<str>| {
            let ServerCount { requests, failed, hits, misses, service } = &all[name];
            (*requests, *failed, *hits, *misses, service.len())
        };
        assert_eq!((figures(&a), figures(&b)), ((2, 0, 2, 1, 2), (3, 2, 0, 1, 1)));
        counts.reset();
        assert!(counts.requests().is_empty());
    }
}
