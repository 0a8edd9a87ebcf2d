//! A long mixed load on the real binary, plain and over TLS: whether memory, descriptors, threads
//! or calls are left behind, and whether latencies drift.
//!
//! `SOAK_SECONDS` is how long it lasts; `make soak` takes 900.

mod figures;
mod load;

use std::{
    env, fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use self::{
    figures::{Timed, quarters, slope},
    load::{Counts, Load, fill},
};
use crate::{
    setting::{mib, millis},
    support::{certificates::Certificates, http::Http, process::Process, run},
};

const LIMIT_MB: &str = "32";
const LIMIT: usize = 32 << 20;

/// What memory may grow by from the warm-up to the end, by its slope. It moves by some MiB in any
/// case, as large values come and go.
const MOST_GROWTH: f64 = (6 << 20) as f64;

/// Time in which everything must be back where it was.
const SETTLE: Duration = Duration::from_secs(30);

#[test]
#[ignore = "takes SOAK_SECONDS; make test-hardening runs it"]
fn a_mixed_load_leaves_nothing_behind() {
    let seconds = env::var("SOAK_SECONDS").ok().filter(|text| !text.is_empty());
    let seconds = seconds.map_or(30, |text| text.parse().expect("SOAK_SECONDS is a number"));
    assert!(seconds >= 9, "SOAK_SECONDS={seconds} is too short: allowed is 9 and more");
    let soaked = run(async {
        let lasts = Duration::from_secs(seconds);
        tokio::join!(soak(false, lasts), soak(true, lasts))
    });
    for soaked in [&soaked.0, &soaked.1] {
        println!("{soaked}");
    }
    for soaked in [soaked.0, soaked.1] {
        soaked.check();
    }
}

/// What of a process can be left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    descriptors: u64,
    threads: u64,
    connections: u64,
    calls: u64,
}

/// One second of the load.
struct Sample {
    at: Duration,
    resident: u64,
    descriptors: u64,
}

/// What a soak showed.
struct Soaked {
    tls: bool,
    warm: Duration,
    lasted: Duration,
    samples: Vec<Sample>,
    calls: Vec<Timed>,
    counts: Arc<Counts>,
    idle: Held,
    end: Held,
}

async fn soak(tls: bool, lasts: Duration) -> Soaked {
    let mut vars = vec![("CACHE_MAX_MEMORY_MB", LIMIT_MB), ("CACHE_WORKERS", "2")];
    let made = Certificates::of_this_process();
    let (certificate, key) = (made.server_certificate(), made.server_key());
    if tls {
        vars.extend([
            ("CACHE_TLS_ENABLED", "true"),
            ("CACHE_TLS_CERT_PATH", &certificate),
            ("CACHE_TLS_KEY_PATH", &key),
        ]);
    }
    let server = Process::start(&vars);
    let addr = server.grpc_addr();
    fill(addr, tls, LIMIT).await;
    let idle = settled(&server, None).await;

    let load = Load::begin(addr, tls);
    let began = Instant::now();
    let mut samples = Vec::new();
    while began.elapsed() < lasts {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // As a Prometheus would.
        assert!(held(&server).await.connections > 0);
        let (resident, descriptors) = (server.resident(), server.descriptors());
        samples.push(Sample { at: began.elapsed(), resident, descriptors });
    }
    let lasted = began.elapsed();
    let (counts, calls) = load.end().await;
    let end = settled(&server, Some(idle)).await;
    let warm = (lasts / 3).min(Duration::from_secs(120));
    Soaked { tls, warm, lasted, samples, calls, counts, idle, end }
}

/// What is held once nobody is connected: waits until it is no more than it was, or for the time
/// that it has for that.
async fn settled(server: &Process, idle: Option<Held>) -> Held {
    let give_up = Instant::now() + SETTLE;
    loop {
        let held = held(server).await;
        let quiet = held.connections == 0 && held.calls == 0;
        if (quiet && idle.is_none_or(|idle| idle == held)) || Instant::now() > give_up {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is held now, asked over a connection to the HTTP port that is open at that moment.
async fn held(server: &Process) -> Held {
    let mut http = Http::connect(server.http_addr()).await.unwrap();
    let page = http.get("/metrics").await.unwrap().body;
    let sum = |name: &str| -> u64 {
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    };
    Held {
        descriptors: server.descriptors(),
        threads: server.threads(),
        connections: sum("tiny_cache_connections_open "),
        calls: sum("tiny_cache_worker_active_requests{"),
    }
}

impl Soaked {
    /// Bytes that memory grew by since the warm-up, by its slope.
    fn growth(&self) -> f64 {
        let warm = self.samples.iter().filter(|sample| sample.at >= self.warm);
        let points: Vec<_> =
            warm.map(|sample| (sample.at.as_secs_f64(), sample.resident as f64)).collect();
        slope(&points) * (self.lasted - self.warm).as_secs_f64()
    }

    fn check(&self) {
        let growth = self.growth();
        assert!(growth < MOST_GROWTH, "memory grew by {:.1} MiB", growth / f64::from(1 << 20));
        assert_eq!(self.end, self.idle, "left behind (right: before the load)");
        assert_eq!(self.counts.errors.load(Relaxed), 0, "calls that failed");
        for (what, count) in self.visits() {
            assert!(count > 0, "{what} did not happen");
        }
    }

    fn visits(&self) -> [(&'static str, u64); 4] {
        let counts = &self.counts;
        [
            ("restarts of clients", counts.restarts.load(Relaxed)),
            ("cancelled calls", counts.cancelled.load(Relaxed)),
            ("halves of requests", counts.halves.load(Relaxed)),
            ("health watches", counts.watches.load(Relaxed)),
        ]
    }
}

impl fmt::Display for Soaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = if self.tls { "TLS" } else { "plain" };
        let minutes = (self.lasted - self.warm).as_secs_f64() / 60.0;
        let growth = self.growth() / f64::from(1 << 20);
        let resident = self.samples.iter().filter(|sample| sample.at >= self.warm);
        let resident: Vec<u64> = resident.map(|sample| sample.resident).collect();
        let descriptors = self.samples.iter().map(|sample| sample.descriptors).max();
        writeln!(
            f,
            "soak, {over}: {:.0} s, {} calls of those that behave; {}",
            self.lasted.as_secs_f64(),
            self.calls.len(),
            self.visits().map(|(what, count)| format!("{count} {what}")).join(", "),
        )?;
        writeln!(
            f,
            "  memory after {:.0} s of warm-up: {:.1} to {:.1} MiB, slope {:.3} MiB a minute, \
             {growth:.2} MiB in all",
            self.warm.as_secs_f64(),
            mib(resident.iter().copied().min().unwrap_or_default()),
            mib(resident.iter().copied().max().unwrap_or_default()),
            growth / minutes,
        )?;
        let quarters = quarters(&self.calls, self.warm, self.lasted);
        for (number, (calls, [p50, p99, p999])) in (1..).zip(quarters) {
            writeln!(
                f,
                "  quarter {number}: {calls} calls, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms",
                millis(p50),
                millis(p99),
                millis(p999),
            )?;
        }
        write!(
            f,
            "  descriptors {} idle, {} at most, {} at the end; threads {} and {}; {} connections \
             and {} calls left",
            self.idle.descriptors,
            descriptors.unwrap_or_default(),
            self.end.descriptors,
            self.idle.threads,
            self.end.threads,
            self.end.connections,
            self.end.calls,
        )
    }
}
