//! Divides the limits among the shards, and says what an entry weighs against them.

use std::num::NonZeroUsize;

use super::{
    clock::Deadline,
    entry::{Entry, HEADER_BYTES},
    ghost,
    outcome::EvictionPolicy,
    ring::ITEM_BYTES,
    route::MAX_SHARDS,
};

/// Memory that an entry in the window takes beyond its key and value and what its block is rounded
/// up by: the block's header, and what stands around it.
pub const ENTRY_OVERHEAD_BYTES: usize = HEADER_BYTES + PLACE_BYTES;

/// A place in the table, whose places are half to seven eighths taken, and one in the queue: 80
/// bytes as growth of resident memory while a store fills up (`make bench-overhead`). The rest is
/// what lies free between the entries of a full store whose entries come and go (`make
/// test-memory`, values of 100 bytes).
const PLACE_BYTES: usize = 80 + 64;

/// What moka takes for the handle of a resident: 261 bytes (`make bench-overhead`), and what it
/// has let go of and not yet freed while residents come and go (`make test-memory` under `lru`).
pub(super) const HANDLE_BYTES: usize = 264 + 48;

/// The place of a deadline in the order of deadlines.
const DEADLINE_BYTES: usize = 32;

/// The place in the queue of a namespace with a quota: one item, and up to as many stale ones.
const TICKET_BYTES: usize = 2 * ITEM_BYTES;

/// What an entry of one byte in the window counts as: none counts as less.
const LIGHTEST_BYTES: u64 = entry_bytes(HEADER_BYTES + 2, false, false);

/// A shard holds at least this many of the largest values, or is the only one.
const LARGEST_VALUES_PER_SHARD: u64 = 3;

/// With a limit on the count, a shard is given at least this many entries, or is the only
/// one. Keys fall into shards at random: a share of n entries is off by about the square
/// root of n, which is 1.6 % here.
const ITEMS_PER_SHARD: usize = 4096;

/// What the whole store may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of all entries, overhead included.
    pub max_bytes: u64,
    /// Number of entries; `None`: no limit.
    pub max_items: Option<NonZeroUsize>,
    /// Bytes of one value.
    pub max_value_bytes: usize,
}

/// What one shard may hold. moka bounds one dimension, the weight; with a limit on the
/// count, an entry weighs at least its share of the whole, so that both limits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    /// The sum of weights that the shard may hold.
    pub(super) weight: u64,
    /// The window's share of that; 0: there is none.
    pub(super) window: u64,
    /// Bytes of the shard's share.
    pub(super) bytes: u64,
    /// The least that an entry weighs.
    floor: u64,
    /// Bytes to a unit of weight: 1, but where few items share so much memory that an
    /// entry's share does not fit the 32 bits of moka's weights.
    unit: u64,
}

impl Capacity {
    /// Divides the limits among about `wanted` shards.
    pub(super) fn plan(
        limits: StoreLimits,
        wanted: NonZeroUsize,
        policy: EvictionPolicy,
    ) -> Vec<Self> {
        let shards = shard_count(limits, wanted.get());
        let shares = (0..shards).map(|i| Self::share(limits, shards, i));
        let largest = entry_bytes(HEADER_BYTES + limits.max_value_bytes, true, true);
        shares.map(|share| share.with_window(policy, largest)).collect()
    }

    /// Gives a tenth to the window, unless the shard holds few entries, so that their window would
    /// have room for one or two, or the residents could not hold the largest.
    fn with_window(mut self, policy: EvictionPolicy, largest: u64) -> Self {
        const FEWEST: u64 = 32;
        let holds_many = self.floor * FEWEST <= self.weight && largest <= self.bytes / 5 * 4;
        if policy == EvictionPolicy::Window && holds_many {
            if self.floor == 1 {
                // What the ghost takes is memory too. Where items are counted they come first.
                self.weight -= (self.ghost_slots() * ghost::SLOT_BYTES).min(self.weight / 16);
            }
            self.window = self.weight / 10;
        }
        self
    }

    /// What the residents may weigh.
    pub(super) fn residents(&self) -> u64 {
        self.weight - self.window
    }

    /// Slots of the ghost: one for each entry of half a kibibyte, or for each that may be held.
    pub(super) fn ghost_slots(&self) -> u64 {
        (self.bytes / 512).min(self.weight / self.floor).next_power_of_two()
    }

    fn share(limits: StoreLimits, shards: usize, index: usize) -> Self {
        let bytes = split(limits.max_bytes, shards, index);
        let Some(items) = limits.max_items else {
            return Self { weight: bytes, window: 0, bytes, floor: 1, unit: 1 };
        };
        let items = split(items.get() as u64, shards, index);
        let floor = bytes.div_ceil(items);
        if floor <= LIGHTEST_BYTES {
            // Memory runs out first; a floor would never be felt.
            return Self { weight: bytes, window: 0, bytes, floor: 1, unit: 1 };
        }
        let unit = floor.div_ceil(u64::from(u32::MAX));
        // Exactly `items` entries of the least weight fit. Rounding up adds less than a
        // unit for each entry to the limit.
        let floor = floor.div_ceil(unit);
        Self { weight: floor * items, window: 0, bytes, floor, unit }
    }

    /// What an entry of `bytes` weighs. Never more than the whole shard, so that the largest
    /// value fits even where the limit on values is the limit on memory.
    pub(super) fn weigh(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.unit).max(self.floor).min(self.weight)
    }

    /// By how much pending writes may overshoot before they have to be settled.
    pub(super) fn slack(&self) -> u64 {
        self.weight / 64
    }
}

/// Bytes that an entry is counted as.
pub(super) fn bytes_of(entry: &Entry, is_resident: bool) -> u64 {
    let ticket = if entry.ticket().is_some() { TICKET_BYTES as u64 } else { 0 };
    entry_bytes(entry.block_bytes(), entry.deadline() != Deadline::NEVER, is_resident) + ticket
}

/// Bytes that an entry in the window is counted as, with a key and a value of so many bytes.
pub(super) fn window_bytes(bytes: usize, has_deadline: bool) -> u64 {
    entry_bytes(HEADER_BYTES + bytes, has_deadline, false)
}

/// The most bytes that an entry of a namespace with a quota is counted as, with a key and a value
/// of so many bytes.
pub(super) fn most_bytes_with_ticket(bytes: usize, has_deadline: bool) -> u64 {
    entry_bytes(HEADER_BYTES + bytes, has_deadline, true) + TICKET_BYTES as u64
}

/// Bytes that an entry is counted as, with a block of `block_bytes`.
const fn entry_bytes(block_bytes: usize, has_deadline: bool, is_resident: bool) -> u64 {
    let deadline = if has_deadline { DEADLINE_BYTES } else { 0 };
    let handle = if is_resident { HANDLE_BYTES } else { 0 };
    (allocated(block_bytes) + PLACE_BYTES + deadline + handle) as u64
}

/// Bytes that the allocator sets aside for a value. mimalloc has four sizes between a power
/// of two and the next, up to half a mebibyte; larger blocks take whole slices of 64 KiB.
const fn allocated(bytes: usize) -> usize {
    const SLICE: usize = 64 << 10;
    const LARGEST_CLASS: usize = 512 << 10;
    let step = match bytes {
        0..=64 => 16,
        65..=LARGEST_CLASS => (1 << bytes.ilog2()) / 4,
        _ => SLICE,
    };
    bytes.next_multiple_of(step)
}

fn shard_count(limits: StoreLimits, wanted: usize) -> usize {
    let largest = entry_bytes(HEADER_BYTES + limits.max_value_bytes, true, true);
    let by_bytes = limits.max_bytes / (LARGEST_VALUES_PER_SHARD * largest);
    let by_items = limits.max_items.map_or(usize::MAX, |items| items.get() / ITEMS_PER_SHARD);
    let most = usize::try_from(by_bytes).unwrap_or(usize::MAX).min(by_items).clamp(1, MAX_SHARDS);
    wanted.next_power_of_two().min(previous_power_of_two(most))
}

fn previous_power_of_two(n: usize) -> usize {
    1 << n.ilog2()
}

/// The share of part `index` when `whole` is split as evenly as it goes.
fn split(whole: u64, parts: usize, index: usize) -> u64 {
    let (parts, index) = (parts as u64, index as u64);
    whole / parts + u64::from(index < whole % parts)
}

#[cfg(test)]
impl Capacity {
    /// A shard's whole weight, and the window's share of it.
    #[cfg(feature = "shuttle")]
    pub(super) fn of_weights(weight: u64, window: u64) -> Self {
        Self { weight, window, bytes: weight, floor: 1, unit: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn limits(max_bytes: u64, max_items: usize, max_value_bytes: usize) -> StoreLimits {
        StoreLimits { max_bytes, max_items: NonZeroUsize::new(max_items), max_value_bytes }
    }

    fn plan(limits: StoreLimits, wanted: usize) -> Vec<Capacity> {
        Capacity::plan(limits, NonZeroUsize::new(wanted).unwrap(), EvictionPolicy::Lru)
    }

    #[test]
    fn the_defaults_on_two_cores_give_eight_shards() {
        assert_eq!(plan(limits(100 * MIB, 0, 4 << 20), 8).len(), 8);
    }

    #[test]
    fn a_shard_holds_several_of_the_largest_values_or_is_the_only_one() {
        assert_eq!(plan(limits(64 * MIB, 0, 4 << 20), 64).len(), 4);
        assert_eq!(plan(limits(100 * MIB, 0, 100 << 20), 64).len(), 1);
    }

    #[test]
    fn a_value_counts_as_what_the_allocator_sets_aside_for_it() {
        for (bytes, block) in [
            (0, 0),
            (1, 16),
            (64, 64),
            (100, 112),
            (1024, 1024),
            (1025, 1280),
            (140_000, 163_840),
            (512 << 10, 512 << 10),
            ((1 << 20) + 1, (1 << 20) + (64 << 10)),
        ] {
            assert_eq!(allocated(bytes), block, "{bytes}");
        }
    }

    #[test]
    fn few_items_share_one_shard() {
        assert_eq!(plan(limits(100 * MIB, 1000, 1 << 20), 8).len(), 1);
        assert_eq!(plan(limits(100 * MIB, 40_000, 1 << 20), 8).len(), 8);
    }

    #[test]
    fn the_largest_value_fits_where_it_is_the_whole_memory() {
        let whole = plan(limits(MIB, 0, 1 << 20), 1)[0];
        assert_eq!(whole.weigh(entry_bytes(1024 + (1 << 20), false, true)), whole.weight);
    }

    /// moka's weights have 32 bits: a share of 8 GiB was cut to 4, and two entries were held
    /// where one was allowed.
    #[test]
    fn an_entrys_share_fits_mokas_weights_however_large_the_memory_is() {
        for items in [1, 3, 1000] {
            let capacity = plan(limits(MIB * MIB, items, 1 << 20), 8)[0];
            let least = capacity.weigh(1);
            assert!(u32::try_from(least).is_ok());
            assert_eq!(capacity.weight / least, items as u64);
        }
    }

    /// 191 bytes for each entry are more than the overhead of one, and less than any entry takes:
    /// a floor of 191 was meant to let 691,729 in and let 690,828 in.
    #[test]
    fn a_share_that_no_entry_fits_into_is_no_floor() {
        let whole = plan(limits(126 * MIB, 691_729, 1), 1)[0];
        assert_eq!((whole.floor, whole.weight), (1, 126 * MIB));
    }

    proptest! {
        #[test]
        fn the_shares_add_up_to_the_limits(
            mib in 1u64..10_000,
            items in 0usize..1_000_000,
            value in 1usize..(16 << 20),
            wanted in 1usize..600,
        ) {
            let limits = limits(mib * MIB, items, value.min((mib * MIB) as usize));
            let plan = plan(limits, wanted);
            prop_assert!(plan.len().is_power_of_two());
            let weight: u64 = plan.iter().map(|c| c.weight).sum();
            prop_assert!(weight >= limits.max_bytes);
            prop_assert!(weight <= limits.max_bytes + items as u64);
            if let Some(items) = limits.max_items {
                // As many of the lightest entries as fit: never more than allowed, and all
                // that are allowed unless memory runs out first.
                let fit: u64 = plan.iter().map(|c| c.weight / c.weigh(LIGHTEST_BYTES)).sum();
                let in_memory = limits.max_bytes / LIGHTEST_BYTES + 1;
                prop_assert!(fit <= items.get() as u64 || fit <= in_memory);
                if plan.iter().all(|c| c.floor > 1) {
                    prop_assert_eq!(fit, items.get() as u64);
                }
            }
        }
    }
}
