//! Keeps the entries. Knows keys, values and deadlines; it knows nothing of gRPC.
//!
//! A [`StoreHandle`] finds the shard of a key and counts what callers do. A call holds the key's
//! stripe while it reads, decides and writes.

// The path of a request:
mod handle; // the verbs, as one worker calls them
mod counters; // what callers did, for each worker
mod sharded; // the store as a whole
mod route; // hashes a key, chooses its shard and its stripe
mod shard; // a table, a window and residents that share its room
mod stripes; // the table of a shard, with its locks
mod entry; // what is kept for a key: one block
mod prefetch; // has the processor fetch what is looked at next
mod window; // new entries, in the order in which they came
mod ghost; // what the window dropped of late
mod residents; // what has proved itself: moka's handles

// Around the entries of a shard:
mod capacity; // what an entry weighs, and what a shard may hold
mod clock; // moments, deadlines
mod ledger; // what the shard holds and has removed
mod namespaces; // the number of each namespace

// In the background:
mod upkeep; // removes what is past its deadline
mod sweeps; // what that took

// What callers ask and get:
mod ttl; // how long an entry is to live
mod outcome; // policy, value, result, refusal
mod stats; // figures

#[cfg(all(test, feature = "shuttle"))]
pub(crate) mod interleavings;
#[cfg(test)]
mod tests;

pub use self::{
    capacity::{ENTRY_OVERHEAD_BYTES, StoreLimits},
    handle::StoreHandle,
    outcome::{EvictionPolicy, Lookup, Outcome, Refused, Value},
    sharded::{Located, Store},
    stats::Stats,
    ttl::Ttl,
    upkeep::Upkeep,
};
pub(crate) use self::{
    stats::{Detail, NamespaceStats, ShardStats},
    upkeep::LONGEST_PAUSE,
};
