//! The store's behaviour on one shard and on several.

mod eviction;
mod expiry;
mod models;
mod namespaces;
mod window;
mod writes;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tiny_cache_proto::key::{Key, Namespace};

use super::{
    EvictionPolicy, Lookup, Store, StoreHandle, StoreLimits, Ttl, Upkeep, Value, shard::Shard,
};

const MIB: u64 = 1 << 20;

fn store(max_bytes: u64, max_items: usize, shards: usize, policy: EvictionPolicy) -> Arc<Store> {
    let limits = StoreLimits {
        max_bytes,
        max_items: NonZeroUsize::new(max_items),
        max_value_bytes: MIB as usize,
    };
    let one = NonZeroUsize::MIN;
    Store::new(limits, policy, NonZeroUsize::new(shards).unwrap(), one)
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
}
