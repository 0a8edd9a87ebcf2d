//! What the load tester itself can do: as many requests as it can make on one core, beside what
//! servers can answer on another.
//!
//! `make bench-loadtest` runs it. The tool is the built binary with one thread on one core. It
//! drives, in turns, nothing (the null target) and the server with one worker on another core.
//! Figures are medians of the rounds. A ratio below 1 says that a request costs the server less CPU
//! time than the tool: so many cores of the tool take one core of the server to its limit.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod shared;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use serde_json::Value;
use tiny_cache_client::testing::TestServer;

use self::shared::{median, on_core};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
const TOOL: &str = env!("CARGO_BIN_EXE_tiny-cache-loadtest");

fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("--serve-cache") {
        return serve_cache();
    }
    println!("one thread of the tool on one core, one of the server on another");
    println!("medians of {ROUNDS} rounds of 1.5 s; 512 requests in flight on 16 connections\n");
    println!(
        "{:<12} {:>6} {:>12} {:>14} {:>16} {:>6}",
        "target", "value", "requests/s", "tool us/req", "server us/req", "ratio"
    );
    let server = Server::start("--serve-cache");
    for value in [64, 1024] {
        let mut rounds: [Vec<Round>; 2] = Default::default();
        for _ in 0..ROUNDS {
            rounds[0].push(Round::of("null", value));
            rounds[1].push(Round::of(&server.target, value));
        }
        for (name, rounds) in ["null", "tiny-cache"].into_iter().zip(&rounds) {
            let median = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
            let (rate, tool, server) =
                (median(|r| r.rate), median(|r| r.tool), median(|r| r.server));
            print!("{name:<12} {value:>6} {rate:>12.0} {tool:>14.2}");
            match name {
                "null" => println!(),
                _ => println!(" {server:>16.2} {:>6.2}", median(|r| r.server / r.tool)),
            }
        }
    }
}

/// One run of the tool; times are microseconds of CPU for each request.
#[derive(Clone, Copy)]
struct Round {
    rate: f64,
    tool: f64,
    server: f64,
}

impl Round {
    fn of(target: &str, value: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let json = dir.path().join("report.json");
        let size = value.to_string();
        let mut command = on_core(1, TOOL);
        command.args(["run", "--rate", "max", "--threads", "1", "--connections", "16"]);
        command.args(["--in-flight", "512", "--duration", "1500ms", "--mix", "get=1"]);
        command.args(["--warm-up", "300ms", "--target", target]).arg("--json").arg(&json);
        command.args(["--keys", "10000", "--prefill", "--value-size", &size]);
        let output = command.output().expect("the tool starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read(&json).expect("the tool writes its report");
        let report: Value = serde_json::from_slice(&text).expect("the report is JSON");
        let figure = |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let made = figure("/requests") + figure("/warm_up_requests");
        Self {
            rate: figure("/answered_per_second"),
            tool: figure("/generator/cpu_seconds") * 1e6 / made,
            server: figure("/server/usage/cpu_seconds") * 1e6 / made,
        }
    }
}

/// A server in a process of its own, on another core than the tool.
struct Server {
    child: Child,
    target: String,
}

impl Server {
    fn start(mode: &str) -> Self {
        let own = std::env::current_exe().expect("this program has a path");
        let mut child = on_core(0, own.to_str().expect("a path in UTF-8"))
            .arg(mode)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("the server says its port");
        Self { child, target: format!("127.0.0.1:{}", line.trim()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The real server, with one worker.
fn serve_cache() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let server = runtime.expect("a runtime").block_on(TestServer::start());
    let server = server.expect("the server starts");
    let (_, port) = server.address().rsplit_once(':').expect("an address has a port");
    println!("{port}");
    loop {
        std::thread::park();
    }
}
