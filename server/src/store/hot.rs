//! The hottest keys of the last minute, and those with the largest values.
//!
//! Each worker looks at some of its requests and counts their keys in a sketch of its own; whoever
//! asks adds the sketches up. A request that is not looked at costs a worker one number to count down.
//! How many are looked at depends on how many there are ([`pace`]): no more than some thousand in a
//! second, so that it costs a worker a few thousandths of its time at most.

mod largest; // the largest values
mod minute; // the parts of a minute
mod name; // the name of a key
mod pace; // how many requests are looked at
mod report; // what the workers saw together
mod space_saving; // the keys that were asked for most

// Not those of `sync`: no decision depends on what these tell, and every request would have the
// model checker try more.
use std::{
    num::NonZeroUsize,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
};

use crossbeam::utils::CachePadded;

pub use self::report::{HotKey, HotReport, LargeKey};
use self::{minute::Minute, report::Sums};
use super::{
    clock::{Clock, Moment},
    entry::HashedKey,
};

/// What each worker sees.
#[derive(Debug)]
pub(super) struct HotKeys {
    clock: Clock,
    workers: Box<[CachePadded<Watch>]>,
}

/// What one worker sees.
#[derive(Debug)]
struct Watch {
    /// The request that is looked at next is so many away; 1: it is the very next.
    away: AtomicU32,
    /// A larger value is looked at in any case.
    usual_bytes: AtomicUsize,
    minute: Mutex<Minute>,
}

/// Values up to this many bytes are looked at with their request alone: a larger one costs its
/// request much more than a look.
const SMALL: usize = 4096;

impl HotKeys {
    pub(super) fn new(workers: NonZeroUsize, clock: Clock) -> Self {
        let now = clock.now();
        let watch = |worker| CachePadded::new(Watch::new(worker, now));
        Self { workers: (1..=workers.get() as u64).map(watch).collect(), clock }
    }

    /// Notes a request that a worker has, with the bytes of the value that it reads or writes.
    pub(super) fn note(&self, worker: usize, key: HashedKey<'_>, value_bytes: usize) {
        let watch = &self.workers[worker];
        let away = watch.away.load(Relaxed);
        if away > 1 {
            watch.away.store(away - 1, Relaxed);
            if value_bytes > watch.usual_bytes.load(Relaxed) {
                watch.note_large(key, value_bytes, self.clock.now());
            }
            return;
        }
        watch.look(key, value_bytes, self.clock.now());
    }
}

impl Watch {
    fn new(seed: u64, now: Moment) -> Self {
        Self {
            away: AtomicU32::new(1),
            usual_bytes: AtomicUsize::new(SMALL),
            minute: Mutex::new(Minute::new(seed, now)),
        }
    }

    #[cold]
    fn look(&self, HashedKey { hash, key }: HashedKey<'_>, value_bytes: usize, now: Moment) {
        let mut minute = self.minute();
        let next = minute.count((hash, key), value_bytes, now);
        self.usual_bytes.store(minute.least().max(SMALL), Relaxed);
        self.away.store(next, Relaxed);
    }

    #[cold]
    fn note_large(&self, HashedKey { hash, key }: HashedKey<'_>, value_bytes: usize, now: Moment) {
        let mut minute = self.minute();
        let least = minute.note((hash, key), value_bytes, now);
        self.usual_bytes.store(least.max(SMALL), Relaxed);
    }

    fn minute(&self) -> MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A report in the making.
#[derive(Debug)]
pub struct HotSums<'a> {
    hot: &'a HotKeys,
    now: Moment,
    /// The worker whose turn is next.
    next: usize,
    sums: Sums,
}

impl HotKeys {
    /// Begins a report of the last minute.
    pub(super) fn sums(&self) -> HotSums<'_> {
        HotSums { hot: self, now: self.clock.now(), next: 0, sums: Sums::default() }
    }
}

impl HotSums<'_> {
    /// Adds what one worker saw, which waits for some tens of microseconds. Returns whether there
    /// are more.
    pub fn step(&mut self) -> bool {
        if let Some(watch) = self.hot.workers.get(self.next) {
            watch.minute().parts(self.now).for_each(|part| self.sums.add(part));
            self.next += 1;
        }
        self.next < self.hot.workers.len()
    }

    /// Ends the report, with the first so many keys of each kind.
    pub fn report(self, most: usize) -> HotReport {
        self.sums.report(self.now.since(minute::minute_before(self.now)), most)
    }
}
