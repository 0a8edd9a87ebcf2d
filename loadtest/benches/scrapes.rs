//! What scrapes of `/metrics` do to the requests of a busy server, and how long a scrape takes
//! of an idle one and of a busy one.
//!
//! `make bench-scrapes` runs it. The tool makes requests at a planned rate (open loop, so that
//! response times count from the plan) on one core, the server with one worker and the
//! background thread that answers scrapes share the other. Rounds without scrapes and rounds
//! with two scrapes a second, of which both begin at once, take turns; so do two kinds of
//! rounds without, which tell how much the machine alone makes of the figures.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod shared;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tiny_cache_server::{Server, Settings};

use self::shared::{median, on_core};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 9;
const SCRAPERS: usize = 2;
const TOOL: &str = env!("CARGO_BIN_EXE_tiny-cache-loadtest");
const RATE: &str = "20000";

fn main() {
    if std::env::args().nth(1).as_deref() == Some("--serve") {
        return serve();
    }
    let server = Process::start();
    let mut idle: Vec<f64> = (0..20).map(|_| milliseconds(scrape(server.http))).collect();
    let mut rounds: [Vec<Round>; 3] = Default::default();
    let mut busy = Vec::new();
    for _ in 0..ROUNDS {
        rounds[0].push(Round::of(server.grpc));
        let (round, scrapes) = scraped(server.http, || Round::of(server.grpc));
        rounds[1].push(round);
        busy.extend(scrapes);
        rounds[2].push(Round::of(server.grpc));
    }

    println!("{RATE} requests/s, {ROUNDS} rounds of 4 s each; response times in microseconds\n");
    println!("{:<16} {:>9} {:>9} {:>9} {:>12}", "", "p50", "p99", "p99.9", "p99 ratio");
    let names = ["without", "two scrapes/s", "without again"];
    for (name, these) in names.into_iter().zip(&rounds) {
        let figure = |of: fn(&Round) -> f64| median(these.iter().map(of).collect());
        let ratios = these.iter().zip(&rounds[0]).map(|(this, bare)| this.p99 / bare.p99).collect();
        println!(
            "{name:<16} {:>9.0} {:>9.0} {:>9.0} {:>12.2}",
            figure(|round| round.p50),
            figure(|round| round.p99),
            figure(|round| round.p999),
            median(ratios),
        );
    }
    idle.sort_by(f64::total_cmp);
    println!("\na scrape, median: idle {:.2} ms, busy {:.2} ms", median(idle), median(busy));
}

/// Response times of one run, in microseconds.
#[derive(Clone, Copy)]
struct Round {
    p50: f64,
    p99: f64,
    p999: f64,
}

impl Round {
    fn of(port: u16) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let json = dir.path().join("report.json");
        let mut command = on_core(1, TOOL);
        command.args(["run", "--rate", RATE, "--threads", "1", "--connections", "16"]);
        command.args(["--duration", "4s", "--warm-up", "500ms", "--mix", "get=9,set=1"]);
        command.args(["--keys", "100000", "--value-size", "256", "--prefill"]);
        // The machine's own lateness is in both kinds of rounds.
        command.args(["--max-slip", "1s", "--target", &format!("127.0.0.1:{port}")]);
        let output = command.arg("--json").arg(&json).output().expect("the tool starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read(&json).expect("the tool writes its report");
        let report: Value = serde_json::from_slice(&text).expect("the report is JSON");
        let time = |percentile: &str| {
            let path = format!("/response_us/{percentile}");
            report.pointer(&path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path}"))
        };
        Self { p50: time("p50"), p99: time("p99"), p999: time("p99.9") }
    }
}

/// Runs a round while the server is scraped; returns how long each scrape took, too.
fn scraped<T>(port: u16, round: impl FnOnce() -> T) -> (T, Vec<f64>) {
    let over = Arc::new(AtomicBool::new(false));
    let together = Arc::new(Barrier::new(SCRAPERS));
    let scrapers: Vec<_> = (0..SCRAPERS)
        .map(|_| {
            let (over, together) = (over.clone(), together.clone());
            thread::spawn(move || {
                let mut took = Vec::new();
                loop {
                    // One of them decides for both, so that none waits for the other for ever.
                    together.wait();
                    let ends = over.load(Ordering::Relaxed);
                    together.wait();
                    if ends {
                        return took;
                    }
                    took.push(milliseconds(scrape(port)));
                    thread::sleep(Duration::from_secs(1));
                }
            })
        })
        .collect();
    let result = round();
    over.store(true, Ordering::Relaxed);
    let took = scrapers.into_iter().flat_map(|scraper| scraper.join().expect("it scrapes"));
    (result, took.collect())
}

/// Scrapes as Prometheus does, with exemplars, and returns how long that took.
fn scrape(port: u16) -> Duration {
    let started = Instant::now();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                   accept: application/openmetrics-text;version=1.0.0\r\n\r\n";
    socket.write_all(request.as_bytes()).expect("the server reads");
    let mut reply = String::new();
    socket.read_to_string(&mut reply).expect("the server answers");
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("# EOF\n"), "{reply}");
    started.elapsed()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A server in a process of its own.
struct Process {
    child: Child,
    grpc: u16,
    http: u16,
}

impl Process {
    fn start() -> Self {
        let own = std::env::current_exe().expect("this program has a path");
        let mut child = on_core(0, own.to_str().expect("a path in UTF-8"))
            .arg("--serve")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut port = || {
            let line = lines.next().and_then(Result::ok).expect("the server says its ports");
            line.parse().expect("a port")
        };
        let (grpc, http) = (port(), port());
        Self { child, grpc, http }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The real server, with one worker.
fn serve() {
    let settings = Settings::from_vars([
        ("CACHE_HOST", "127.0.0.1"),
        ("CACHE_PORT", "0"),
        ("CACHE_HEALTH_HOST", "127.0.0.1"),
        ("CACHE_HEALTH_PORT", "0"),
        ("CACHE_WORKERS", "1"),
    ]);
    let server = Server::start(settings.expect("the settings are valid")).expect("it starts");
    println!("{}\n{}", server.grpc_addr().port(), server.http_addr().port());
    loop {
        thread::park();
    }
}
