//! Keeps the entries. Knows keys, values and deadlines; it knows nothing of gRPC.
//!
//! A [`StoreHandle`] finds the shard of a key and counts what callers do. A call holds the key's
//! stripe while it reads, decides and writes.

// The path of a request:
mod handle; // the verbs, as one worker calls them
mod conditions; // those of the second service: by version, on a condition
mod scan; // the keys of a namespace, a page at a time
mod cursor; // where a scan goes on
mod hot; // which keys are asked for most
mod describing; // what is known of an entry beside its value
mod counters; // what callers did, for each worker
mod sharded; // the store as a whole
mod census; // counts what it holds
mod route; // hashes a key, chooses its shard and its stripe
mod shard; // a table, a window and residents that share its room
mod stripes; // the table of a shard, with its locks
mod entry; // what is kept for a key: one block
mod prefetch; // has the processor fetch what is looked at next
mod ring; // a queue of entries' hashes
mod window; // new entries, in the order in which they came
mod ghost; // what the window dropped of late
mod residents; // what has proved itself: moka's handles

// Around the entries of a shard:
mod capacity; // what an entry weighs, and what a shard may hold
mod clock; // moments, deadlines
mod leases; // who fills a key that is not there
mod life; // how long an entry is fresh, and stale
mod lifetime; // how long an entry lives, in four bytes
mod version; // the moment of a write, which names it
mod tags; // names that entries have in common
mod invalidations; // what was made unreadable by its tag or namespace
mod ledger; // what the shard holds and has removed
mod namespaces; // the number of each namespace
mod quota_limits; // what a namespace may have and do, and the refusal
mod quotas; // what each namespace has of its quota
mod keeping; // has namespaces keep to their quotas
mod sampled; // notes what is done to some of the keys
mod what_if; // what other memory would give

// In the background:
mod upkeep; // removes what is past its deadline
mod sweeps; // what that took

// What callers ask and get:
mod ttl; // how long an entry is to live
mod outcome; // policy, value, result, refusal
mod counting; // what is added to a counter
mod claims; // who may fill a key, and who waits
mod seen; // an entry, and what is known of it
mod stats; // figures

#[cfg(all(test, feature = "shuttle"))]
pub(crate) mod interleavings;
#[cfg(test)]
mod tests;

pub use self::{
    capacity::{ENTRY_OVERHEAD_BYTES, StoreLimits},
    claims::{Claimed, Grant, Waiting},
    conditions::{Changed, Condition, On, Previous, ValueHash},
    counting::{AddOutcome, Added, Addition, Beyond, NoCounter, NotAdded, TtlOf},
    describing::{Description, Standing},
    entry::Content,
    handle::StoreHandle,
    hot::{HotKey, HotReport, HotSums, LargeKey},
    invalidations::{MOST as MOST_INVALIDATIONS, Scope, TooManyInvalidations},
    life::Life,
    outcome::{EvictionPolicy, Lookup, Outcome, Refused, Value},
    quota_limits::{OverQuota, QuotaLimits, QuotaRules, RateLimit},
    scan::{Page, Scan},
    seen::{Listed, Seen},
    sharded::{Located, Store},
    stats::Stats,
    tags::{LONGEST_TAG, MOST_TAGS, TagError, Tags, check as check_tag},
    ttl::Ttl,
    upkeep::Upkeep,
    version::Version,
    what_if::{WhatIfReport, WhatIfSize},
};
pub(crate) use self::{
    quotas::QuotaStats,
    stats::{Detail, NamespaceStats, ShardStats},
    upkeep::LONGEST_PAUSE,
};
