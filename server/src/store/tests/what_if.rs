//! What other memory would give, compared with what it gives.

use std::{env, fmt::Write, fs, path::Path, time::Duration};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::{MIB, POLICIES, advance, handle_of, key, sweep};
use crate::store::{
    EvictionPolicy, Lookup, Outcome, Store, StoreHandle, StoreLimits, Ttl, WhatIfReport,
};

/// A read of a key, which is filled after a miss with a value of so many bytes, or a removal.
#[derive(Clone, Copy)]
enum Access {
    Read { id: u64, size: usize, ttl: Ttl },
    Removal { id: u64 },
}

/// Values of traces that tell no sizes.
const VALUE: usize = 1024;

/// By how much a hit ratio may be wrong.
const TOLERANCE: f64 = 0.02;

/// Sampled reads and sampled entries from which on that is promised.
const ENOUGH: (u64, u64) = (10_000, 500);

/// The largest value, small enough for a window in a small cache.
const LARGEST: usize = 64 << 10;

/// Makes a store of these limits.
type Make = fn(StoreLimits, EvictionPolicy) -> std::sync::Arc<Store>;

fn plain(limits: StoreLimits, policy: EvictionPolicy) -> std::sync::Arc<Store> {
    let counts = (8.try_into().unwrap(), 1.try_into().unwrap());
    Store::with_quotas(limits, policy, counts, None)
}

fn watched(limits: StoreLimits, policy: EvictionPolicy) -> std::sync::Arc<Store> {
    let counts = (8.try_into().unwrap(), 1.try_into().unwrap());
    Store::with_what_if(limits, policy, counts, None)
}

fn made(make: Make, max_bytes: u64, policy: EvictionPolicy) -> StoreHandle {
    handle_of(&make(StoreLimits { max_bytes, max_items: None, max_value_bytes: LARGEST }, policy))
}

fn text(id: u64) -> String {
    format!("key-{id}")
}

/// Goes through a trace, so many accesses in a tenth of a second. Returns the part of the reads that
/// hit.
fn replay(handle: &StoreHandle, trace: &[Access], pace: usize) -> f64 {
    let value = vec![7; LARGEST];
    let (mut reads, mut hits) = (0, 0);
    for (tenth, accesses) in trace.chunks(pace).enumerate() {
        for access in accesses {
            match *access {
                Access::Read { id, size, ttl } => {
                    let text = text(id);
                    reads += 1;
                    if let Lookup::Hit(_) = handle.get(key(&text)) {
                        hits += 1;
                    } else {
                        handle.set(key(&text), &value[..size.min(LARGEST)], ttl).unwrap();
                    }
                }
                Access::Removal { id } => handle.delete(key(&text(id))),
            }
        }
        advance(handle, Duration::from_millis(100));
        handle.store().simulate();
        if tenth % 20 == 0 {
            sweep(handle.shared());
        }
    }
    f64::from(hits) / f64::from(reads)
}

/// Replays a trace with what-if, and at each of the sizes that it tells of. Fails where one is off.
fn compare(name: &str, trace: &[Access], (bytes, policy): (u64, EvictionPolicy), pace: usize) {
    let handle = made(watched, bytes, policy);
    let measured = replay(&handle, trace, pace);
    let report = handle.store().what_if().unwrap();
    assert!((report.hit_ratio.unwrap() - measured).abs() < 1e-9);
    let mut line = format!("{name:8} {policy:8?} {:>5} KiB 1/{:<3}", bytes >> 10, report.one_in);
    let mut worst: f64 = 0.0;
    for size in report.sizes {
        let truth = match size.times {
            1.0 => measured,
            _ => replay(&made(plain, size.memory_bytes, policy), trace, pace),
        };
        let error = size.hit_ratio.unwrap() - truth;
        worst = worst.max(error.abs());
        let [truth, error] = [truth, error].map(|ratio| 100.0 * ratio);
        write!(line, "  {}x {truth:.2} ({error:+.2})", size.times).unwrap();
    }
    println!("{line}, simulated {:.2}", 100.0 * report.simulated_hit_ratio.unwrap());
    let sampled = (report.sampled_reads, report.sizes[1].entries / report.one_in);
    let is_enough = sampled.0 >= ENOUGH.0 && sampled.1 >= ENOUGH.1;
    let is_promised = is_enough || report.one_in == 1;
    assert!(!is_promised || worst <= TOLERANCE, "{line}");
}

/// A made trace: popular keys and keys that are asked for once, values of 100 bytes to 5 KiB, a
/// third with a TTL, some removals.
fn made_trace(accesses: usize) -> Vec<Access> {
    let mut random = Pcg64::seed_from_u64(11);
    let mut once = 1 << 32;
    let mut access = || {
        let popular = (12_000.0 * random.random::<f64>().powi(3)) as u64;
        let id = if random.random_bool(0.2) { once } else { popular };
        once += 1;
        if random.random_bool(0.02) {
            return Access::Removal { id };
        }
        let ttl = if id % 3 == 0 { Ttl::For(Duration::from_secs(3)) } else { Ttl::Forever };
        let size = 100 + (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % 5000;
        Access::Read { id, size, ttl }
    };
    (0..accesses).map(|_| access()).collect()
}

#[test]
fn what_if_is_within_two_points_of_the_truth() {
    let trace = made_trace(40_000);
    for policy in POLICIES {
        compare("made", &trace, (4 * MIB, policy), 500);
    }
}

/// The traces that are given: ARC's `.lis`, cache2k's `.trace`, Meta's `.csv`, not compressed.
fn read(path: &Path) -> Vec<Access> {
    let bytes = fs::read(path).unwrap();
    let read = |id, size| Access::Read { id, size, ttl: Ttl::Forever };
    if path.extension().is_some_and(|end| end == "trace") {
        let ids = bytes.as_chunks::<4>().0.iter();
        return ids.map(|id| read(u32::from_be_bytes(*id).into(), VALUE)).collect();
    }
    let lines = str::from_utf8(&bytes).unwrap().lines();
    if path.extension().is_some_and(|end| end == "lis") {
        let pages = lines.flat_map(|line| {
            let mut cells = line.split(' ').map(|cell| cell.parse::<u64>().unwrap());
            let (first, count) = (cells.next().unwrap(), cells.next().unwrap());
            (first..first + count).map(|id| read(id, VALUE))
        });
        return pages.collect();
    }
    let rows = lines.skip(1).flat_map(|line| {
        let cells: Vec<_> = line.split(',').collect();
        let id = u64::from_str_radix(cells[1], 16).unwrap();
        let access = match cells[3] {
            "DELETE" => Access::Removal { id },
            _ => read(id, cells[5].parse().unwrap()),
        };
        std::iter::repeat_n(access, cells[4].parse().unwrap())
    });
    rows.collect()
}

#[test]
#[ignore = "some minutes, and it wants traces: make test-what-if TRACES=…"]
fn what_if_is_within_two_points_of_the_truth_on_recorded_traces() {
    let paths = env::var("WHAT_IF_TRACES").expect("WHAT_IF_TRACES names traces");
    for path in paths.split_whitespace().map(Path::new) {
        let (trace, name) = (read(path), path.file_stem().unwrap().to_string_lossy());
        // A trace of few rows would fit into the least of a server.
        let sizes = match trace.len() {
            ..10_000 => [MIB / 16, MIB / 8, MIB / 4, MIB],
            _ => [2 * MIB, 4 * MIB, 16 * MIB, 32 * MIB],
        };
        // 5,000 accesses a second, of which all may be sampled, and 100,000.
        for pace in [500, 10_000] {
            for policy in POLICIES {
                for bytes in sizes {
                    compare(&name, &trace, (bytes, policy), pace);
                }
            }
        }
    }
}

fn report_of(handle: &StoreHandle) -> WhatIfReport {
    advance(handle, Duration::from_secs(1));
    handle.store().simulate();
    handle.store().what_if().unwrap()
}

#[test]
fn every_verb_is_simulated() {
    let handle = made(watched, MIB, EvictionPolicy::Window);
    let store = handle.store();
    handle.set(key("set"), b"v", Ttl::Forever).unwrap();
    let stored = handle.set_if_absent(key("absent"), b"v", Ttl::Forever);
    assert_eq!(stored, Ok(Outcome::Stored));
    let met = handle.set_if_absent(key("absent"), b"v", Ttl::Forever);
    assert_eq!(met, Ok(Outcome::Exists));
    let swapped = handle.compare_and_set(key("set"), b"v", b"w", Ttl::Forever);
    assert_eq!(swapped, Ok(Outcome::Stored));
    assert_eq!(report_of(&handle).sizes.map(|size| size.entries), [2; 4]);

    handle.delete(key("set"));
    assert!(handle.read(key("absent"), None).is_some());
    assert!(handle.read(key("set"), None).is_none());
    let report = report_of(&handle);
    assert_eq!(report.sizes.map(|size| size.entries), [1; 4]);
    assert_eq!((report.reads, report.sampled_reads, report.one_in), (2, 2, 1));
    assert_eq!(report.sizes.map(|size| size.hit_ratio), [Some(0.5); 4]);
    assert_eq!(report.simulated_hit_ratio, Some(0.5));
    assert_eq!(report.sizes.map(|size| size.memory_bytes), [MIB / 2, MIB, 2 * MIB, 4 * MIB]);
    assert!(store.stats().hits == 1);
}

#[test]
fn without_reads_there_is_no_ratio() {
    let handle = made(watched, MIB, EvictionPolicy::Window);
    let report = report_of(&handle);
    assert_eq!((report.reads, report.hit_ratio), (0, None));
    assert!(report.sizes.iter().all(|size| size.hit_ratio.is_none()));
    assert!(made(plain, MIB, EvictionPolicy::Window).store().what_if().is_none());
}

/// More is noted than upkeep may take: fewer keys are sampled.
#[test]
fn many_requests_have_fewer_keys_sampled() {
    let handle = made(watched, MIB, EvictionPolicy::Window);
    for round in 0..30 {
        for n in 0..4_000 {
            handle.get(key(&text(n + round)));
        }
        advance(&handle, Duration::from_millis(100));
        handle.store().simulate();
    }
    let report = handle.store().what_if().unwrap();
    assert_eq!(report.reads, 120_000);
    // 40,000 a second, of which 16,000 at most.
    assert_eq!(report.one_in, 4);
    assert!(report.sampled_reads.abs_diff(30_000) < 8_000, "{}", report.sampled_reads);
}
