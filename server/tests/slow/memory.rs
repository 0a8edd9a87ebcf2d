//! Memory stays honest under a flood: ten times the limit is written from 8
//! connections as fast as they go, while the accounted and the resident memory
//! are sampled and a probe on its own connection goes on reading.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tiny_cache_proto::cache::CacheStatus;
use tiny_cache_server::settings::RESIDENT_PERCENT;
use tokio::task::JoinSet;

use crate::support::{
    Cache,
    http::Http,
    messages::{item, items, key},
    process::Process,
    run,
};

const LIMIT_MB: &str = "64";
const LIMIT: u64 = 64 << 20;
const WRITTEN: u64 = 10 * LIMIT;
const CONNECTIONS: u64 = 8;

/// The sizes of values, each with the requests that a connection has in flight.
/// What is in flight is memory too, of the peers' choosing: 8 connections with 4
/// requests of 1 MiB each have half of the limit under way.
const SIZES: [(u64, u64); 7] = [
    (100, 4),
    (1 << 10, 4),
    // Just above one of the allocator's sizes, and between two of them.
    (1025, 4),
    (140_000, 4),
    (64 << 10, 4),
    (1 << 20, 1),
    (1 << 20, 4),
];

/// Small values travel in batches of about this many bytes: the fastest way to
/// write them.
const BATCH: u64 = 64 << 10;

const SAMPLE_EVERY: Duration = Duration::from_millis(20);
const PROBE_EVERY: Duration = Duration::from_millis(5);

#[test]
#[ignore = "takes minutes; meant for a release build"]
fn memory_stays_within_its_limit_while_ten_times_as_much_is_written() {
    println!("limit {LIMIT_MB} MiB, written {} MiB each", WRITTEN >> 20);
    println!("{}", Figures::HEADING);
    let mut broken = Vec::new();
    for policy in ["window", "tinylfu", "lru"] {
        for (size, in_flight) in SIZES {
            let figures = run(flood(policy, size, in_flight));
            println!("{figures}");
            broken.extend(figures.broken());
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What one flood showed. Sizes in bytes.
struct Figures {
    policy: &'static str,
    size: u64,
    in_flight: u64,
    written: u64,
    took: Duration,
    accounted: u64,
    samples: u64,
    resident: u64,
    idle: u64,
    probes: u64,
    worst_probe: Duration,
}

/// Writes ten times the limit to a fresh server.
async fn flood(policy: &'static str, size: u64, in_flight: u64) -> Figures {
    let server = Process::start(&[
        ("CACHE_MAX_MEMORY_MB", LIMIT_MB),
        ("CACHE_EVICTION_POLICY", policy),
        ("CACHE_LOG_LEVEL", "INFO"),
    ]);
    let mut probe = server.connect().await;
    let mut caches = Vec::new();
    for _ in 0..CONNECTIONS {
        caches.push(server.connect().await);
    }
    probe.set(item("probe", "v")).await.unwrap();
    probe.get(key("probe")).await.unwrap();
    let idle = server.resident();

    let flooding = Arc::new(AtomicBool::new(true));
    let probing = tokio::spawn(keep_probing(probe, flooding.clone()));
    let started = Instant::now();
    let mut writers = JoinSet::new();
    let left = Arc::new(AtomicU64::new(WRITTEN / size));
    for cache in caches {
        for _ in 0..in_flight {
            writers.spawn(write(cache.clone(), size, left.clone()));
        }
    }
    // All writers, while the memory is watched.
    let mut http = Http::connect(server.http_addr()).await.unwrap();
    let (mut accounted, mut resident, mut samples) = (0, 0, 0);
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    while !writers.is_empty() {
        ticks.tick().await;
        let stats = http.get("/stats").await.unwrap().json();
        accounted = accounted.max(stats["memory_usage_bytes"].as_u64().unwrap());
        resident = resident.max(server.resident());
        samples += 1;
        while let Some(writer) = writers.try_join_next() {
            writer.unwrap();
        }
    }
    let took = started.elapsed();
    flooding.store(false, Ordering::Relaxed);
    let (probes, worst_probe) = probing.await.unwrap();
    Figures {
        policy,
        size,
        in_flight,
        written: WRITTEN / size,
        took,
        accounted,
        samples,
        resident: resident.max(server.peak_resident()),
        idle,
        probes,
        worst_probe,
    }
}

/// Writes fresh keys until none are left to write.
async fn write(mut cache: Cache, size: u64, left: Arc<AtomicU64>) {
    let value = Bytes::from(vec![7; usize::try_from(size).unwrap()]);
    let batch = (BATCH / size).max(1);
    loop {
        let first = left.fetch_sub(batch, Ordering::Relaxed);
        // The counter wraps once it is used up.
        if first == 0 || first > u64::MAX / 2 {
            return;
        }
        let last = first.saturating_sub(batch);
        let fresh = (last..first).map(|n| item(format!("key:{n:012}"), value.clone()));
        if batch == 1 {
            for fresh in fresh {
                cache.set(fresh).await.unwrap();
            }
        } else {
            let set = cache.multi_set(items(fresh)).await.unwrap();
            assert!(set.items.iter().all(|set| set.status() == CacheStatus::Ok));
        }
    }
}

/// Reads as long as the flood lasts; no read may fail. Returns how many there
/// were, and how long the slowest took.
async fn keep_probing(mut cache: Cache, flooding: Arc<AtomicBool>) -> (u64, Duration) {
    let (mut probes, mut worst) = (0, Duration::ZERO);
    while flooding.load(Ordering::Relaxed) {
        let sent = Instant::now();
        cache.get(key("probe")).await.unwrap();
        worst = worst.max(sent.elapsed());
        probes += 1;
        tokio::time::sleep(PROBE_EVERY).await;
    }
    (probes, worst)
}

impl Figures {
    const HEADING: &'static str = "policy    value B  in flight    written   writes/s  peak accounted  of limit  idle RSS  peak RSS - idle  of limit  worst probe    probes  samples";

    /// What broke a promise.
    fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut check = |what: &str, got: u64, of_limit: f64, most: f64| {
            if of_limit > most {
                let (policy, size) = (self.policy, self.size);
                broken.push(format!(
                    "{policy}, {size} B: {what} {got} is {of_limit:.3} of the limit, allowed {most}"
                ));
            }
        };
        check("accounted", self.accounted, of_limit(self.accounted), 1.05);
        check("resident", self.grown(), of_limit(self.grown()), as_f64(RESIDENT_PERCENT) / 100.0);
        broken
    }

    /// Resident memory above the idle size.
    fn grown(&self) -> u64 {
        self.resident.saturating_sub(self.idle)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<8} {:>8} {:>10} {:>10} {:>10.0} {:>11.1} MiB {:>9.3} {:>5.1} MiB {:>12.1} MiB {:>9.3} {:>9.1} ms {:>9} {:>8}",
            self.policy,
            self.size,
            CONNECTIONS * self.in_flight,
            self.written,
            as_f64(self.written) / self.took.as_secs_f64(),
            mib(self.accounted),
            of_limit(self.accounted),
            mib(self.idle),
            mib(self.grown()),
            of_limit(self.grown()),
            self.worst_probe.as_secs_f64() * 1e3,
            self.probes,
            self.samples,
        )
    }
}

fn mib(bytes: u64) -> f64 {
    as_f64(bytes) / f64::from(1 << 20)
}

fn of_limit(bytes: u64) -> f64 {
    as_f64(bytes) / as_f64(LIMIT)
}

#[expect(clippy::cast_precision_loss, reason = "a figure to print, below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
