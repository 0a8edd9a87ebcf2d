//! What an entry takes beyond its key and value, as growth of resident memory, beside
//! `ENTRY_OVERHEAD_BYTES`, which the store counts.
//!
//! Run it with `make bench-overhead`. Each case fills a store of its own in a fresh process, up to
//! four fifths of its limit, so that what a cache allocates that fills up is there too. Under
//! `window` the entries are in the window, under `lru` they are residents, with a handle in moka.
//! The last rows are what moka alone takes for as many handles. Keys and values differ in length by
//! case: the allocator rounds a block up to the next of its sizes.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{fs, num::NonZeroUsize, process::Command, sync::Arc, time::Duration};

use tiny_cache_proto::key::{Key, Namespace};
use tiny_cache_server::store::{
    ENTRY_OVERHEAD_BYTES, EvictionPolicy, Store, StoreHandle, StoreLimits, Ttl,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MOST_ENTRIES: u64 = 300_000;
const MOST_BYTES: u64 = 512 << 20;

const WORKERS: NonZeroUsize = NonZeroUsize::new(2).expect("two");
const SHARDS: NonZeroUsize = NonZeroUsize::new(8).expect("eight");

/// Bytes of a key and of a value. Of the values above 100 the first of each pair is a size of
/// the allocator's own, and the second lies just above it.
const SIZES: [(usize, usize); 7] =
    [(16, 100), (22, 100), (32, 100), (32, 1024), (32, 1025), (32, 65_536), (32, 65_537)];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, policy, key, value, ttl] = &args[..]
        && mode == "--fill"
    {
        let length = |text: &String| text.parse().expect("a length in bytes");
        return fill(policy, length(key), length(value), ttl == "1h");
    }
    if args == ["--moka"] {
        return fill_moka();
    }
    println!("bytes of an entry; counted as overhead: {ENTRY_OVERHEAD_BYTES}\n");
    println!(
        "{:>6} {:>4} {:>6} {:>5} {:>8} {:>9} {:>9} {:>9} {:>17}",
        "policy",
        "key",
        "value",
        "ttl",
        "entries",
        "resident",
        "overhead",
        "counted",
        "resident/counted"
    );
    for policy in ["window", "lru"] {
        for (key, value) in SIZES {
            for ttl in ["none", "1h"] {
                case(&["--fill", policy, &key.to_string(), &value.to_string(), ttl]);
            }
        }
    }
    case(&["--moka"]);
}

/// Has one case run by a process of its own.
fn case(args: &[&str]) {
    let status = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(args)
        .status()
        .expect("this program can be started again");
    assert!(status.success(), "a case failed: {status}");
}

/// Fills a store and prints by how much the process grew.
fn fill(policy: &str, key_bytes: usize, value_bytes: usize, expires: bool) {
    let policy_of = |name| if name == "lru" { EvictionPolicy::Lru } else { EvictionPolicy::Window };
    let ttl = if expires { Ttl::For(Duration::from_secs(3600)) } else { Ttl::Forever };
    // A block is at most a quarter larger than what it holds; 300 bytes more are enough for the
    // handle and the deadline.
    let most = (1 + key_bytes + value_bytes + value_bytes / 4 + ENTRY_OVERHEAD_BYTES + 350) as u64;
    let entries = MOST_ENTRIES.min(MOST_BYTES / most);
    let limits = StoreLimits {
        max_bytes: entries * most * 5 / 4,
        max_items: None,
        max_value_bytes: value_bytes,
    };
    let store = Store::new(limits, policy_of(policy), SHARDS, WORKERS);
    let value = vec![7; value_bytes];
    let before = resident();
    write(&store, entries, key_bytes, &value, ttl);
    let stats = store.stats();
    assert_eq!(stats.entries, entries, "an entry was evicted");
    let counted = stats.memory_bytes as f64 / entries as f64;

    let grown = (resident() - before) as f64 / entries as f64;
    let overhead = grown - (key_bytes + value_bytes) as f64;
    println!(
        "{policy:>6} {key_bytes:>4} {value_bytes:>6} {:>5} {entries:>8} {grown:>9.0} {overhead:>9.0} {counted:>9.0} {:>17.2}",
        if expires { "1h" } else { "none" },
        grown / counted,
    );
}

/// Fills moka with handles as the residents have them.
fn fill_moka() {
    let shards: Vec<_> = (0..SHARDS.get() as u64)
        .map(|_| {
            moka::sync::Cache::<u64, (u32, u32)>::builder()
                .max_capacity(u64::MAX)
                .weigher(|_, handle| handle.0)
                .eviction_policy(moka::policy::EvictionPolicy::lru())
                .eviction_listener(|_, _, _| {})
                .build()
        })
        .collect();
    let before = resident();
    for entry in 0..MOST_ENTRIES {
        shards[entry as usize % shards.len()].insert(entry, (500, 0));
    }
    shards.iter().for_each(moka::sync::Cache::run_pending_tasks);
    let grown = (resident() - before) as f64 / MOST_ENTRIES as f64;
    println!("moka alone, for a handle of 8 bytes under a key of 8 bytes: {grown:.0}");
}

fn write(store: &Arc<Store>, entries: u64, key_bytes: usize, value: &[u8], ttl: Ttl) {
    let handle = StoreHandle::new(store.clone(), 0);
    for entry in 0..entries {
        let text = format!("{entry:0key_bytes$}");
        let key = Key::parse(Namespace::SHARED, &text).expect("a short key is valid");
        handle.set(key, value, ttl).expect("the value is as large as allowed");
    }
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .expect("it says what is resident");
    kib.trim().parse::<u64>().expect("a number") << 10
}
