//! Four simulations of sampled keys, and what follows from them for all keys.

use std::time::Duration;

use super::super::clock::Moment;
use super::{
    event::{Event, What},
    miniature::Miniature,
    minutes::{Counts, Minutes, SIZES},
    report::{WhatIfReport, WhatIfSize},
    room::{Plan, Room},
    sampling,
};

/// The memory of the simulations, in times of what there is.
pub(super) const TIMES: [f64; SIZES] = [0.5, 1.0, 2.0, 4.0];

/// The one with the memory that there is.
const SAME: usize = 1;

/// Entries of the largest simulation, up to which keys are sampled.
const MOST_ENTRIES: usize = 8 << 10;

/// Slots of the largest ghost.
const MOST_SLOTS: u64 = 2 * MOST_ENTRIES as u64;

/// Events a second, for each worker, up to which keys are sampled. An event takes upkeep some
/// 400 ns, so this is 0.6 % of a worker's core.
const EVENTS_OF_WORKER: f64 = 16_000.0;

/// Likewise of all workers: upkeep has one core for all.
const MOST_EVENTS: f64 = 64_000.0;

/// The fewest keys that are sampled: one in a million.
const MOST_SCALE: u32 = 20;

/// What was noted since the last time.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    /// Events for which there was no place.
    pub(super) lost: u64,
    /// Reads that hit and missed, of all keys since the start.
    pub(super) reads: (u64, u64),
}

#[derive(Debug)]
pub(super) struct Estimator {
    sizes: [Miniature; SIZES],
    /// One in so many keys is sampled, as a power of two.
    scale: u32,
    /// Events a second up to which keys are sampled.
    most_events: f64,
    minutes: Minutes,
    /// Events that were not simulated.
    lost: u64,
    /// When it last absorbed a batch, and what all reads were then.
    last: (Moment, (u64, u64)),
}

impl Estimator {
    pub(super) fn new(plan: Plan, now: Moment) -> Self {
        let size = |times| {
            Miniature::new(Room::new(plan, times, 0), (MOST_SLOTS as f64 * times / 4.0) as u64)
        };
        Self {
            sizes: TIMES.map(size),
            scale: 0,
            most_events: (EVENTS_OF_WORKER * plan.workers.get() as f64).min(MOST_EVENTS),
            minutes: Minutes::new(now),
            lost: 0,
            last: (now, (0, 0)),
        }
    }

    pub(super) fn scale(&self) -> u32 {
        self.scale
    }

    /// Simulates what was noted.
    pub(super) fn absorb(&mut self, batch: Batch, now: Moment) {
        let (before, (hits, misses)) = self.last;
        self.last = (now, batch.reads);
        let taken = batch.events.len() as f64;
        self.lost += batch.lost;
        let noted = taken + batch.lost as f64;
        self.heed_rate(noted, now.since(before), now);
        let mut counts = Counts {
            hits: batch.reads.0.saturating_sub(hits),
            misses: batch.reads.1.saturating_sub(misses),
            ..Counts::default()
        };
        for event in batch.events {
            self.simulate(event, noted / taken, &mut counts);
        }
        *self.minutes.at(now) += counts;
        self.sizes.iter_mut().for_each(|size| size.sweep(now));
    }

    /// What the last minutes show.
    pub(super) fn report(&self, now: Moment) -> WhatIfReport {
        let counts = self.minutes.sum();
        let sizes = [0, 1, 2, 3].map(|at| self.size(at, &counts));
        WhatIfReport {
            over: self.minutes.span(now),
            reads: counts.hits + counts.misses,
            sampled_reads: counts.sampled,
            one_in: 1 << self.scale,
            lost: self.lost,
            hit_ratio: ratio(counts.hits as f64, (counts.hits + counts.misses) as f64),
            simulated_hit_ratio: ratio(counts.reads - counts.missed[SAME], counts.reads),
            sizes,
        }
    }

    /// The simulations differ in what they miss. By that the misses of the cache would differ: what
    /// they miss alike, and what is alike wrong in them, does not matter. That is how the hottest
    /// keys, of which a sample has too many or too few, do not either.
    fn size(&self, at: usize, counts: &Counts) -> WhatIfSize {
        let size = &self.sizes[at];
        let reads = (counts.hits + counts.misses) as f64;
        let more = counts.missed[at] - counts.missed[SAME];
        let misses = (counts.misses as f64 + more).clamp(0.0, reads);
        WhatIfSize {
            times: TIMES[at],
            memory_bytes: size.room().max_bytes(),
            hit_ratio: ratio(reads - misses, reads),
            filled: size.filled(),
            entries: (size.entries() as u64) << self.scale,
        }
    }

    fn simulate(&mut self, event: Event, each: f64, counts: &mut Counts) {
        let Event { hash, at: now, what } = event;
        if !sampling::is_sampled(hash, self.scale) {
            return;
        }
        let stands_for = each * (1_u64 << self.scale) as f64;
        if matches!(what, What::Hit(_) | What::Miss) {
            counts.sampled += 1;
            counts.reads += stands_for;
        }
        for (size, missed) in self.sizes.iter_mut().zip(&mut counts.missed) {
            let is_miss = simulate(size, hash, what, now);
            *missed += if is_miss { stands_for } else { 0.0 };
        }
        let [.., largest] = &self.sizes;
        if largest.entries() > MOST_ENTRIES {
            self.thin(1, now);
        }
    }

    /// Samples fewer keys if there are more events than that.
    fn heed_rate(&mut self, events: f64, over: Duration, now: Moment) {
        let times = events / over.as_secs_f64() / self.most_events;
        if times > 1.0 && times.is_finite() {
            self.thin(times.log2().ceil() as u32, now);
        }
    }

    fn thin(&mut self, by: u32, now: Moment) {
        let scale = (self.scale + by).min(MOST_SCALE);
        if scale == self.scale {
            return;
        }
        self.scale = scale;
        for size in &mut self.sizes {
            let room = size.room().scaled(scale);
            size.thin(room, |hash| sampling::is_sampled(hash, scale), now);
        }
    }
}

/// Does in a simulation what was done in the cache. Returns whether it was a read that misses.
///
/// Where a smaller cache misses what the real one hit, its caller would fill it: no write follows
/// here, so the simulation fills itself. Where a larger one hits what the real one missed, the fill
/// that follows would not have been.
fn simulate(size: &mut Miniature, hash: u64, what: What, now: Moment) -> bool {
    match what {
        What::Hit(found) | What::Used(found) => {
            let is_there = size.ask(hash, now);
            if is_there {
                size.prolong(hash, found);
            } else {
                size.write(hash, found.anew(now), now);
            }
            !is_there && matches!(what, What::Hit(_))
        }
        What::Miss => {
            let is_there = size.ask(hash, now);
            if is_there {
                size.expect_fill(hash);
            }
            !is_there
        }
        What::Written(entry) => {
            size.write(hash, entry, now);
            false
        }
        What::Removed => {
            size.forget(hash);
            false
        }
    }
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}
