//! The requests of the last minute that one worker looked at, in parts of some seconds: a part that is
//! over is kept as the keys that were asked for most in it, until it is older than a minute.

use std::cmp::Reverse;

use tiny_cache_proto::key::Key;

use super::super::clock::Moment;
use super::{
    largest::Largest,
    name::Name,
    pace::Pace,
    space_saving::{Counted, SpaceSaving},
};

/// Nanoseconds of a part.
const PART: u64 = 5_000_000_000;

/// Parts that a minute touches.
const PARTS: usize = 13;

/// Counters of the part that is not over. Under Zipf's law with 0.99 over a million keys the tenth
/// has three times as many requests as the counter that counts least.
const COUNTERS: u16 = 512;

/// Keys that are kept of a part that is over.
const KEPT: usize = 64;

#[derive(Debug)]
pub(super) struct Minute {
    pace: Pace,
    /// The number of the part that is not over.
    number: u64,
    counts: SpaceSaving,
    largest: Largest,
    /// The most requests that a look stood for in it.
    one_in: u64,
    /// Each part at its number, modulo how many there are.
    kept: [Part; PARTS],
    /// The counters in the order of what they count, while they are sorted.
    order: Vec<(u64, u16)>,
}

/// What is kept of a part.
#[derive(Debug, Default)]
pub(super) struct Part {
    number: u64,
    keys: Vec<Kept>,
    used: usize,
    /// What a key may have had at most that is not kept.
    pub(super) unseen: u64,
    pub(super) total: u64,
    pub(super) one_in: u64,
    pub(super) largest: Largest,
}

/// A key of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) hash: u64,
    pub(super) count: u64,
    /// As much of it may be too much.
    pub(super) error: u64,
    pub(super) name: Name,
}

impl Minute {
    /// Any seed but 0.
    pub(super) fn new(seed: u64, now: Moment) -> Self {
        Self {
            pace: Pace::new(seed, now),
            number: number(now),
            counts: SpaceSaving::new(COUNTERS),
            largest: Largest::default(),
            one_in: 1,
            kept: Default::default(),
            order: Vec::with_capacity(COUNTERS.into()),
        }
    }

    /// Counts a request, and draws which is the next to be counted.
    pub(super) fn count(&mut self, key: (u64, Key<'_>), value_bytes: usize, now: Moment) -> u32 {
        self.advance(now);
        let weight = self.pace.one_in();
        self.one_in = self.one_in.max(weight);
        self.counts.add(key, weight);
        self.largest.add(key, value_bytes);
        self.pace.next(now)
    }

    /// Notes a large value. Returns what a value has to exceed to be among the largest.
    pub(super) fn note(&mut self, key: (u64, Key<'_>), value_bytes: usize, now: Moment) -> usize {
        self.advance(now);
        self.largest.add(key, value_bytes);
        self.largest.least()
    }

    /// A value of no more bytes is not among the largest.
    pub(super) fn least(&self) -> usize {
        self.largest.least()
    }

    /// Each part of the last minute, the one that is not over included.
    pub(super) fn parts(&mut self, now: Moment) -> impl Iterator<Item = &Part> {
        self.advance(now);
        self.keep();
        let first = number(minute_before(now));
        self.kept.iter().filter(move |part| part.number >= first)
    }

    /// Begins a new part, if it is time for one.
    fn advance(&mut self, now: Moment) {
        let number = number(now);
        if number <= self.number {
            return;
        }
        self.keep();
        self.counts.clear();
        self.largest.clear();
        (self.number, self.one_in) = (number, 1);
    }

    /// Keeps what the part that is not over has.
    fn keep(&mut self) {
        let Self { number, counts, largest, one_in, kept, order, .. } = self;
        let part = &mut kept[*number as usize % PARTS];
        order.clear();
        order.extend(counts.each().zip(0..).map(|((count, _), place)| (count, place)));
        order.sort_unstable_by_key(|(count, _)| Reverse(*count));
        part.used = order.len().min(KEPT);
        part.keys.resize_with(part.used.max(part.keys.len()), Kept::default);
        for (kept, (count, place)) in part.keys.iter_mut().zip(order.iter().take(KEPT)) {
            let Counted { hash, error, name } = counts.key(*place);
            (kept.hash, kept.count, kept.error) = (*hash, *count, *error);
            kept.name.copy(name);
        }
        part.unseen = order.get(KEPT).map_or_else(|| counts.unseen(), |(count, _)| *count);
        (part.number, part.total, part.one_in) = (*number, counts.total(), *one_in);
        part.largest.copy(largest);
    }
}

impl Part {
    /// The keys that had most requests.
    pub(super) fn keys(&self) -> &[Kept] {
        &self.keys[..self.used]
    }
}

/// When the last minute began: with the part in which it was a minute ago.
pub(super) fn minute_before(now: Moment) -> Moment {
    const MINUTE: u64 = (PARTS as u64 - 1) * PART;
    Moment::at(number(Moment::at(now.nanoseconds().saturating_sub(MINUTE))) * PART)
}

/// The number of the part that this moment is in.
fn number(now: Moment) -> u64 {
    now.nanoseconds() / PART
}
