//! Counts what the shards hold, a part at a time: what is past its deadline or was invalidated is
//! not counted, removed or not, and after a mass expiry or an invalidation that is much to look at.

use super::{
    shard::Shard,
    sharded::Store,
    stats::{ShardStats, Stats, Tally},
};

/// Entries that a step looks at: with the stripe that it ends, some hundred microseconds.
const STEP: usize = 2048;

/// How often a shard is counted that is done in one step, as long as its sweep removes entries
/// meanwhile. Beside what a larger one holds, they are few.
const TRIES: u32 = 3;

/// A count under way.
#[derive(Debug)]
pub struct Census<'a> {
    stats: Stats,
    counted: Vec<ShardStats>,
    rest: &'a [Shard],
    current: Option<Counting>,
    tries: u32,
}

/// The count of one shard.
#[derive(Debug)]
struct Counting {
    /// What the sweep had removed before `held` was read: an entry that it removes later is among
    /// those held, and may not be found among those that are gone.
    swept: u64,
    /// What the ledger had at the start. What is removed meanwhile is then counted once too often;
    /// the other way round, entries that stay were not counted.
    held: Tally,
    gone: Tally,
    steps: u32,
    stripe: usize,
}

impl Store {
    /// Begins to count.
    pub fn census(&self) -> Census<'_> {
        let mut stats = Stats {
            max_memory_bytes: self.limits().max_bytes,
            max_items: self.limits().max_items.map_or(0, |n| n.get() as u64),
            max_value_bytes: self.limits().max_value_bytes as u64,
            ..Stats::default()
        };
        self.counters.add_to(&mut stats);
        Census::of(&self.shards, stats)
    }

    /// The figures of this moment. Applies what the shards have pending, so that sizes are
    /// exact when nothing is being written.
    pub fn stats(&self) -> Stats {
        self.with_shards().0
    }

    pub(super) fn with_shards(&self) -> (Stats, Vec<ShardStats>) {
        let mut census = self.census();
        while census.step() {}
        (census.stats, census.counted)
    }
}

impl<'a> Census<'a> {
    /// Of these shards, beside the figures that are there.
    pub(super) fn of(shards: &'a [Shard], stats: Stats) -> Self {
        Self { stats, counted: Vec::new(), rest: shards, current: None, tries: 0 }
    }

    /// Counts on. Returns whether there is more.
    pub fn step(&mut self) -> bool {
        let Some((shard, behind)) = self.rest.split_first() else { return false };
        let counting = self.current.get_or_insert_with(|| Counting {
            swept: shard.swept(),
            held: shard.held(),
            gone: Tally::default(),
            stripe: 0,
            steps: 0,
        });
        counting.steps += 1;
        let mut looked_at = 0;
        while counting.stripe < shard.stripes() && looked_at < STEP {
            let (gone, seen) = shard.gone_from(counting.stripe);
            counting.gone = counting.gone.and(gone);
            counting.stripe += 1;
            looked_at += seen;
        }
        if counting.stripe < shard.stripes() {
            return true;
        }
        let Counting { swept, held, gone, steps, .. } = *counting;
        let mut stats = self.stats;
        let counted = shard.add_to(&mut stats, held.without(gone));
        self.current = None;
        self.tries += 1;
        if shard.swept() != swept && steps == 1 && self.tries < TRIES {
            return true;
        }
        self.tries = 0;
        self.stats = stats;
        self.counted.push(counted);
        self.rest = behind;
        !self.rest.is_empty()
    }

    /// The figures, once there is no more to count.
    pub fn stats(self) -> Stats {
        self.stats
    }
}
