//! The store's behaviour on one shard and on several.

mod descriptions;
mod eviction;
mod expiry;
mod hot;
mod invalidations;
mod loans;
mod models;
mod namespaces;
mod quotas;
mod scans;
mod versions;
mod what_if;
mod window;
mod writes;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tiny_cache_proto::key::{Key, Namespace};

use super::{
    EvictionPolicy, Lookup, QuotaRules, Store, StoreHandle, StoreLimits, Ttl, Upkeep, Value,
    namespaces::Slot, shard::Shard,
};

const MIB: u64 = 1 << 20;

fn store(max_bytes: u64, max_items: usize, shards: usize, policy: EvictionPolicy) -> Arc<Store> {
    with_quotas(max_bytes, (max_items, shards), policy, None)
}

fn with_quotas(
    max_bytes: u64,
    (max_items, shards): (usize, usize),
    policy: EvictionPolicy,
    rules: Option<&QuotaRules>,
) -> Arc<Store> {
    let limits = StoreLimits {
        max_bytes,
        max_items: NonZeroUsize::new(max_items),
        max_value_bytes: MIB as usize,
    };
    let shards = NonZeroUsize::new(shards).unwrap();
    Store::with_quotas(limits, policy, (shards, NonZeroUsize::MIN), rules)
}

fn handle_of(store: &Arc<Store>) -> StoreHandle {
    StoreHandle::new(store.clone(), 0)
}

const POLICIES: [EvictionPolicy; 3] =
    [EvictionPolicy::Window, EvictionPolicy::TinyLfu, EvictionPolicy::Lru];

fn roomy(shards: usize) -> StoreHandle {
    StoreHandle::new(store(64 * MIB, 0, shards, EvictionPolicy::Window), 0)
}

fn key(text: &str) -> Key<'_> {
    Key::parse(Namespace::SHARED, text).unwrap()
}

fn seconds(n: u64) -> Ttl {
    Ttl::For(Duration::from_secs(n))
}

fn hit(value: &'static [u8]) -> Lookup {
    Lookup::Hit(Value::holding(value))
}

fn advance(handle: &StoreHandle, by: Duration) {
    // The shards share one clock.
    handle.store().shards[0].clock().advance(by);
}

fn sweep(store: &Arc<Store>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(Upkeep::new(store.clone(), Duration::from_secs(1)).sweep_once());
}

fn assert_books_balance(store: &Store) {
    store.shards.iter().for_each(Shard::assert_books_balance);
    let Some(quotas) = &store.quotas else { return };
    for slot in Slot::all() {
        let by_shard = store.shards.iter().map(|shard| shard.with_ticket(slot));
        let held = by_shard.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        assert_eq!(quotas.of(slot).held(), held, "{slot:?}");
    }
}
