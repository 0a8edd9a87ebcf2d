//! What a unary RPC costs the server's CPU: the generated service on our own connection
//! loop, beside the same service on stock `tonic::transport::Server`, in one run.
//!
//! Run it with `make bench-transport`. Each server is a process of its own, from the same
//! build and with the same allocator, and echoes. One thread of this process drives it over
//! 16 connections with 32 requests in flight each; the servers take turns, so that a change
//! of the machine's speed falls on all of them. The figure is the CPU time of all the
//! server's threads, from the kernel, divided by the requests that were answered.
//!
//! - `ours`: one worker, `transport::serve`
//! - `stock`: `tonic::transport::Server` on tokio's multi-thread runtime, as people run it
//! - `stock, 1 thread`: the same on a current-thread runtime

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod servers;
#[path = "../shared/mod.rs"]
mod shared;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use self::shared::{cpu, median, raw_client};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 16;
const IN_FLIGHT: usize = 32;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1500);
const WARM_UP: Duration = Duration::from_millis(300);
const SERVERS: [&str; 3] = ["ours", "stock", "stock, 1 thread"];

fn main() {
    let mut args = std::env::args().skip(1);
    if let (Some("--serve"), Some(name)) = (args.next().as_deref(), args.next()) {
        return servers::serve(&name);
    }
    println!("server CPU per RPC, {CONNECTIONS} connections x {IN_FLIGHT} in flight, echo");
    println!("median of {ROUNDS} rounds; ratio: median of the rounds' own ratios to ours\n");
    println!("{:>8}  {:<16} {:>10} {:>8} {:>12}", "value", "server", "us/RPC", "ratio", "RPC/s");
    for value_bytes in [64, 1024] {
        compare(value_bytes);
    }
}

fn compare(value_bytes: usize) {
    let servers = SERVERS.map(Server::start);
    let mut costs: [Vec<f64>; 3] = Default::default();
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (i, server) in servers.iter().enumerate() {
            let (cost, rate) = server.measure(value_bytes);
            costs[i].push(cost);
            rates[i].push(rate);
        }
    }
    for (i, name) in SERVERS.iter().enumerate() {
        let ratios = costs[i].iter().zip(&costs[0]).map(|(cost, ours)| cost / ours).collect();
        println!(
            "{value_bytes:>6} B  {name:<16} {:>10.2} {:>8.2} {:>12.0}",
            median(costs[i].clone()),
            median(ratios),
            median(rates[i].clone()),
        );
    }
}

/// A server's process.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(name: &str) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args(["--serve", name])
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the server prints its port");
        let port = line.trim().parse().expect("a port");
        Self { child, port }
    }

    /// Microseconds of CPU for one RPC, and RPCs in a second.
    fn measure(&self, value_bytes: usize) -> (f64, f64) {
        let mut load = raw_client::Load::connect(self.port, CONNECTIONS, IN_FLIGHT, value_bytes);
        load.run(WARM_UP);
        let before = cpu(self.child.id());
        let answered = load.run(ROUND);
        let cpu = cpu(self.child.id()) - before;
        (cpu.as_secs_f64() * 1e6 / answered as f64, answered as f64 / ROUND.as_secs_f64())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
