//! What `--verify` costs the thread that makes the requests, and what the ledger keeps for
//! each key, as growth of resident memory.
//!
//! Run it with `cargo bench -p tiny-cache-loadtest --bench verify`. All of it is one thread's;
//! keys are drawn evenly, so that hardly any is in the processor's caches, and the cost of
//! making the key's text is taken off.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tiny_cache_loadtest::verify::{Begun, Fate, Ledger, Name};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: u64 = 1_000_000;
const OPERATIONS: u32 = 1_000_000;

fn main() {
    let (ledger, before) = (Ledger::new(1), resident());
    let start = Instant::now();
    for number in 0..KEYS {
        write(&ledger, &key(number), 60, start.elapsed());
    }
    let once = resident() - before;
    println!("{KEYS} keys written once: {} bytes each", once / KEYS);
    for number in 0..KEYS {
        write(&ledger, &key(number), 60, start.elapsed());
    }
    let twice = resident() - before;
    println!("and again at once: {} bytes each", twice / KEYS);

    println!("\nnanoseconds an operation, keys of 16 bytes");
    println!("{:>8} {:>8} {:>8} {:>8} {:>8}", "value", "write", "hit", "miss", "delete");
    for size in [60, 256, 1024, 4096] {
        let (mut rng, mut value) = (Pcg64Mcg::seed_from_u64(1), Bytes::new());
        let texts = each(&mut rng, |text| {
            black_box(text);
        });
        let writes = each(&mut rng, |text| value = write(&ledger, text, size, start.elapsed()));
        // A single key, so that its value is at hand; the map's share is in the miss.
        let name = Name::new("bench", "0123456789abcdef");
        let pending = ledger.begin_write(name, size, 0, start.elapsed());
        value.clone_from(&pending.value);
        ledger.end_write(pending, Fate::Done, start.elapsed()).expect("it was stored");
        let hits = each(&mut rng, |text| {
            black_box(text);
            let pending = Begun::new(name, start.elapsed());
            ledger.judge(pending, Some(&value[..]), start.elapsed()).expect("it is current");
        });
        let misses = each(&mut rng, |text| {
            let pending = Begun::new(Name::new("bench", text), start.elapsed());
            ledger.judge(pending, None, start.elapsed()).expect("a miss is fine");
        });
        let deletes = each(&mut rng, |text| {
            let pending = Begun::new(Name::new("bench", text), start.elapsed());
            ledger.end_delete(pending, Fate::Done, start.elapsed());
        });
        let [writes, hits, misses, deletes] = [writes, hits, misses, deletes]
            .map(|time| time.saturating_sub(texts).as_nanos() / u128::from(OPERATIONS));
        println!("{size:>8} {writes:>8} {hits:>8} {misses:>8} {deletes:>8}");
    }
}

/// How long it takes to do something with random keys.
fn each(rng: &mut Pcg64Mcg, mut operation: impl FnMut(&str)) -> Duration {
    let start = Instant::now();
    for _ in 0..OPERATIONS {
        operation(&key(rng.random_range(0..KEYS)));
    }
    start.elapsed()
}

fn write(ledger: &Ledger, key: &str, size: u32, now: Duration) -> Bytes {
    let pending = ledger.begin_write(Name::new("bench", key), size, 0, now);
    let value = pending.value.clone();
    ledger.end_write(pending, Fate::Done, now).expect("a write is never wrong");
    value
}

fn key(number: u64) -> String {
    format!("{number:016}")
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has this");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
    kib * 1024
}
