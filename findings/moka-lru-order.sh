#!/usr/bin/env bash
# moka 0.12.16 under LRU can evict an entry that was just read, and keep one that never was.
#
# Reads and writes wait in two channels, and a maintenance run applies all waiting reads before all
# waiting writes. A read that came after writes thus counts as older than they are. Here `hot` is
# written and then 20 others, then `hot` is read three times, then 79 more fill the cache of 100.
# One entry too many: `hot` goes, and the first of the 20, which nobody read, stays.
#
# What tiny-cache does about it: under CACHE_EVICTION_POLICY=lru each write runs the maintenance.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "lru-order"
version = "0.0.0"
edition = "2021"
[dependencies]
moka = { version = "=0.12.16", default-features = false, features = ["sync"] }
TOML
cat > src/main.rs <<'RS'
use moka::{policy::EvictionPolicy, sync::Cache};

fn main() {
    let cache = Cache::builder().max_capacity(100).eviction_policy(EvictionPolicy::lru()).build();
    let set = |key: String| cache.insert(key, ());
    set("hot".into());
    (0..20).for_each(|n| set(format!("early{n}")));
    (0..3).for_each(|_| assert!(cache.get("hot").is_some()));
    (0..79).for_each(|n| set(format!("late{n}")));
    set("one-more".into());
    cache.run_pending_tasks();
    for key in ["hot", "early0"] {
        println!("{key}: {}", if cache.contains_key(key) { "held" } else { "evicted" });
    }
}
RS
CARGO_TARGET_DIR=$work/target cargo run --quiet >seen
cat seen
# Seen with moka 0.12.16:
printf 'hot: evicted\nearly0: held\n' | diff - seen || { echo "moka-lru-order: this has changed" >&2; exit 1; }
