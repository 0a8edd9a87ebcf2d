//! What traces cost the server's CPU: the same server with and without them, in one run.
//!
//! Run it with `make bench-telemetry`. Each server is a process of its own with one worker;
//! one thread of this process drives it with Gets of 64 B values over 16 connections with 32
//! requests in flight each, and a collector, another thread, takes the spans and looks at
//! nothing. The servers take turns. The figure is the CPU time of all the server's threads,
//! the exporter's among them, divided by the requests that were answered; the ratio is the
//! median of each round's own ratio to the server without traces.
//!
//! `cargo bench -p tiny-cache-server --bench telemetry -- '100 %'` measures only what is named.
//!
//! - `1 %`: as it is when only an endpoint is set
//! - `dead`, `hung`: the same, with a collector that is not there, or never answers
//! - `100 %`: every request has a span, which is exported or, where the collector does not
//!   keep up, dropped and counted

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod collector;
#[path = "../shared/mod.rs"]
mod shared;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tiny_cache_proto::cache::{CacheItem, cache_service_client::CacheServiceClient};
use tonic::transport::Endpoint;

use self::shared::{cpu, median, raw_client};

const CONNECTIONS: usize = 16;
const IN_FLIGHT: usize = 32;
const VALUE_BYTES: usize = 64;
const ROUNDS: usize = 11;
const ROUND: Duration = Duration::from_millis(1500);
const WARM_UP: Duration = Duration::from_millis(300);

/// A server's name, where it sends spans, and what else it is told.
type Kind<'a> = (&'static str, Option<&'a str>, &'a [(&'a str, &'a str)]);

fn main() {
    let takes = collector::start(collector::Manner::Takes);
    let hangs = collector::start(collector::Manner::Hangs);
    // A port that nobody listens on.
    let dead = "http://127.0.0.1:1".to_owned();
    let all = ("OTEL_TRACES_SAMPLER", "always_on");
    let kinds: [Kind<'_>; 7] = [
        ("off", None, &[]),
        // Once more, for what the noise of the machine alone makes of the ratio.
        ("off again", None, &[]),
        ("1 %", Some(&takes), &[]),
        ("1 %, dead", Some(&dead), &[]),
        ("1 %, hung", Some(&hangs), &[]),
        ("100 %, dead", Some(&dead), &[all]),
        ("100 %", Some(&takes), &[all]),
    ];
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let wanted = |name: &str| named.is_empty() || name == "off" || named.iter().any(|n| n == name);
    let servers: Vec<_> = kinds
        .into_iter()
        .filter(|(name, ..)| wanted(name))
        .map(|(name, endpoint, vars)| Server::start(name, endpoint, vars))
        .collect();
    let mut costs = vec![Vec::new(); servers.len()];
    let mut rates = vec![Vec::new(); servers.len()];
    for _ in 0..ROUNDS {
        for (i, server) in servers.iter().enumerate() {
            let (cost, rate) = server.measure();
            costs[i].push(cost);
            rates[i].push(rate);
        }
    }

    println!(
        "server CPU per Get of {VALUE_BYTES} B, median of {ROUNDS} rounds, ratio to no traces\n"
    );
    println!(
        "{:<14} {:>8} {:>7} {:>9} {:>12} {:>12}",
        "traces", "us/RPC", "ratio", "RPC/s", "exported", "dropped"
    );
    for (i, server) in servers.iter().enumerate() {
        let ratios = costs[i].iter().zip(&costs[0]).map(|(cost, off)| cost / off).collect();
        let [exported, for_room, in_export] = server.spans();
        println!(
            "{:<14} {:>8.2} {:>7.3} {:>9.0} {:>12} {:>12}",
            server.name,
            median(costs[i].clone()),
            median(ratios),
            median(rates[i].clone()),
            exported,
            for_room + in_export,
        );
    }
}

/// A server's process.
struct Server {
    name: &'static str,
    child: Child,
    grpc: u16,
    http: u16,
}

impl Server {
    fn start(name: &'static str, endpoint: Option<&str>, vars: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-server"));
        command
            .env_clear()
            .envs([
                ("CACHE_HOST", "127.0.0.1"),
                ("CACHE_PORT", "0"),
                ("CACHE_HEALTH_HOST", "127.0.0.1"),
                ("CACHE_HEALTH_PORT", "0"),
                ("CACHE_WORKERS", "1"),
                ("CACHE_LOG_FORMAT", "json"),
            ])
            .envs(endpoint.map(|endpoint| ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)))
            .envs(vars.iter().copied())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let listening = log
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok())
            .find(|line| line["fields"]["message"] == "listening")
            .expect("the server says where it listens");
        // Whoever stops reading a log ends its writer.
        std::thread::spawn(move || log.for_each(drop));
        let port = |name: &str| {
            let addr = listening["fields"][name].as_str().expect("an address");
            addr.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
        };
        let server = Self { name, child, grpc: port("grpc"), http: port("http") };
        server.fill();
        server
    }

    /// Writes the one key that the load reads.
    fn fill(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let addr = format!("http://127.0.0.1:{}", self.grpc);
            let endpoint = Endpoint::from_shared(addr).expect("an address");
            let mut client = CacheServiceClient::new(endpoint.connect().await.expect("it listens"));
            let value = vec![b'v'; VALUE_BYTES].into();
            let item = CacheItem { key: "k".repeat(VALUE_BYTES), value, ttl: 0 };
            client.set(item).await.expect("it is stored");
        });
    }

    /// Microseconds of CPU for one RPC, and RPCs in a second.
    fn measure(&self) -> (f64, f64) {
        let mut load = raw_client::Load::connect(self.grpc, CONNECTIONS, IN_FLIGHT, VALUE_BYTES);
        load.run(WARM_UP);
        let before = cpu(self.child.id());
        let answered = load.run(ROUND);
        let cpu = cpu(self.child.id()) - before;
        (cpu.as_secs_f64() * 1e6 / answered as f64, answered as f64 / ROUND.as_secs_f64())
    }

    /// Spans exported, dropped for want of room, and dropped in the export.
    fn spans(&self) -> [u64; 3] {
        let mut socket = TcpStream::connect(("127.0.0.1", self.http)).expect("it listens");
        let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).expect("it reads");
        let mut metrics = String::new();
        socket.read_to_string(&mut metrics).expect("it answers");
        [
            "tiny_cache_spans_exported_total ",
            "tiny_cache_spans_dropped_total{reason=\"queue_full\"} ",
            "tiny_cache_spans_dropped_total{reason=\"export_failed\"} ",
        ]
        .map(|name| {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name));
            value.and_then(|value| value.parse().ok()).expect("the metric is there")
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
