#!/usr/bin/env bash
# moka 0.12.16 with a weigher can lose room for good: an empty cache then has a weight.
#
# An entry is written, settles, is written again with a smaller weight, and is invalidated before
# the next maintenance run. That run skips the update of an entry that is gone already, and takes
# off the new weight where the old one had been added. Here twenty entries of weight 100 that shrink
# to 60 leave a weight of 800 behind, so that of ten entries of weight 100 only two are held.
#
# What tiny-cache does about it: a write that changes the weight of a handle runs the maintenance
# before anybody can remove it (server/src/store/shard.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "weight-drift"
version = "0.0.0"
edition = "2021"
[dependencies]
moka = { version = "=0.12.16", default-features = false, features = ["sync"] }
TOML
cat > src/main.rs <<'RS'
use moka::{policy::EvictionPolicy, sync::Cache};

fn main() {
    let cache = Cache::builder()
        .max_capacity(1_000)
        .weigher(|_: &u32, weight: &u32| *weight)
        .eviction_policy(EvictionPolicy::lru())
        .build();
    for key in 0..20 {
        cache.insert(key, 100);
        cache.run_pending_tasks();
        cache.insert(key, 60);
        cache.invalidate(&key);
        cache.run_pending_tasks();
    }
    println!("empty: {} entries, weight {}", cache.entry_count(), cache.weighted_size());
    for key in 100..110 {
        cache.insert(key, 100);
        cache.run_pending_tasks();
    }
    println!("ten of 100 written: {} entries held", cache.entry_count());
}
RS
CARGO_TARGET_DIR=$work/target cargo run --quiet >seen
cat seen
# Seen with moka 0.12.16:
printf 'empty: 0 entries, weight 800\nten of 100 written: 2 entries held\n' | diff - seen \
    || { echo "moka-weight-drift: this has changed" >&2; exit 1; }
