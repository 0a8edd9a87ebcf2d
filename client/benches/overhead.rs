//! What the library costs beside a bare generated tonic client, at 256 requests in flight.
//!
//! `make bench-client` runs it. Server and clients share the process, on the loopback; the
//! server has one worker. Both clients use as many connections with the same HTTP/2 windows;
//! the bare one has no deadline, no retries, no pool: its tasks are spread over its channels.
//! Rounds alternate, and what counts is the ratio of the medians. On a current-thread runtime
//! the client's own CPU time can be told from the server's, so that is shown too.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    error::Error,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use tiny_cache_client::{Client, testing::TestServer};
use tiny_cache_proto::cache::{CacheItem, CacheKey, cache_service_client::CacheServiceClient};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Channel, Endpoint};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

const IN_FLIGHT: usize = 256;
const KEYS: usize = 1000;
const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: usize = 9;

fn main() -> Result<(), Failure> {
    // `make bench-client` runs everything; `-- ring` the last part alone.
    if std::env::args().any(|argument| argument == "ring") {
        return ring();
    }
    println!("{IN_FLIGHT} requests in flight, requests per second, medians of {ROUNDS} rounds\n");
    println!(
        "{:<14} {:>11} {:>5} {:>9} {:>9} {:>6}",
        "runtime", "connections", "op", "bare", "library", "ratio"
    );
    for threads in [1, 2] {
        let runtime = if threads == 1 {
            Builder::new_current_thread().enable_all().build()?
        } else {
            Builder::new_multi_thread().worker_threads(threads).enable_all().build()?
        };
        for connections in [1, 2] {
            for work in [Work::Get { size: 64 }, Work::Get { size: 1024 }, Work::Set { size: 1024 }]
            {
                let [bare, library] = compare(&runtime, connections, work)?;
                print!(
                    "{:<14} {connections:>11} {work:>8} {:>9.0} {:>9.0} {:>6.2}",
                    if threads == 1 { "current thread" } else { "multi thread" },
                    bare.rate,
                    library.rate,
                    library.rate / bare.rate,
                );
                if threads == 1 {
                    print!("   {:>4.1} / {:>4.1}", bare.cpu_micros, library.cpu_micros);
                }
                println!();
            }
        }
    }
    ring()
}

/// What a ring of three servers costs beside one server, with as many connections in all: the
/// client's own CPU time for a Get, on a current-thread runtime. More connections cost more by
/// themselves, because each write to a socket carries fewer calls, and so do more servers, whose
/// replies come in smaller pieces. A ring of three names of one server shows what is left: the
/// choice of the server.
fn ring() -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let work = Work::Get { size: 64 };
    runtime.block_on(async {
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(TestServer::start().await?);
        }
        let addresses: Vec<_> = servers.iter().map(TestServer::address).collect();
        let (one, three) = (addresses[0].to_owned(), addresses.join(","));
        let names = format!("a={one},b={one},c={one}");
        let setups = [
            ("one server, 1 connection", &one, 1, false),
            ("one server, 3 connections", &one, 3, false),
            ("ring of 3 names of one server", &names, 1, false),
            ("the same with x-cache-key", &names, 1, true),
            ("ring of 3 servers", &three, 1, false),
        ];
        let mut clients = Vec::new();
        for (_, target, connections, sends_key) in setups {
            let builder = Client::builder(target).connections(connections);
            let client = builder.key_metadata(sends_key).connect().await?;
            for n in 0..KEYS {
                client.set(&key(n), vec![7; 64]).await?;
            }
            clients.push(client);
        }
        let mut rounds = setups.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (client, rounds) in clients.iter().zip(&mut rounds) {
                rounds.push(round(|n| drive_library(client.clone(), work, n)).await?);
            }
        }
        let micros = rounds.map(|rounds| median(rounds.iter().map(|round| round.cpu_micros)));
        println!("\nCPU microseconds of the client for each {work}");
        for ((name, ..), cost) in setups.iter().zip(micros) {
            println!("{name:<30} {cost:>6.2}   {:.2}", cost / micros[1]);
        }
        Ok(())
    })
}

#[derive(Clone, Copy)]
enum Work {
    Get { size: usize },
    Set { size: usize },
}

impl std::fmt::Display for Work {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, size) = match self {
            Self::Get { size } => ("get", size),
            Self::Set { size } => ("set", size),
        };
        out.pad(&format!("{name} {size}"))
    }
}

/// What a round shows.
#[derive(Clone, Copy)]
struct Figures {
    /// Requests per second.
    rate: f64,
    /// CPU time of this thread for each.
    cpu_micros: f64,
}

/// The medians of the bare client's rounds and of the library's.
fn compare(runtime: &Runtime, connections: usize, work: Work) -> Result<[Figures; 2], Failure> {
    runtime.block_on(async {
        let server = TestServer::start().await?;
        let library = Client::builder(server.address()).connections(connections).connect().await?;
        let mut bare = Vec::new();
        for _ in 0..connections {
            bare.push(channel(server.address()).await?);
        }
        let size = match work {
            Work::Get { size } | Work::Set { size } => size,
        };
        for n in 0..KEYS {
            library.set(&key(n), vec![7; size]).await?;
        }

        let mut rounds = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            rounds[0].push(round(|n| drive_bare(bare[n % connections].clone(), work, n)).await?);
            rounds[1].push(round(|n| drive_library(library.clone(), work, n)).await?);
        }
        Ok(rounds.map(|rounds| Figures {
            rate: median(rounds.iter().map(|round| round.rate)),
            cpu_micros: median(rounds.iter().map(|round| round.cpu_micros)),
        }))
    })
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

async fn channel(address: &str) -> Result<CacheServiceClient<Channel>, Failure> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .tcp_nodelay(true)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(32 << 20)
        .connect()
        .await?;
    Ok(CacheServiceClient::new(channel))
}

fn key(n: usize) -> String {
    format!("key:{:08}", n % KEYS)
}

static STOP: AtomicBool = AtomicBool::new(false);
static DONE: AtomicU64 = AtomicU64::new(0);

async fn round<F>(drive: impl Fn(usize) -> F) -> Result<Figures, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    STOP.store(false, Ordering::Relaxed);
    DONE.store(0, Ordering::Relaxed);
    let (start, cpu) = (Instant::now(), thread_cpu());
    let tasks: Vec<_> = (0..IN_FLIGHT).map(|n| tokio::spawn(drive(n))).collect();
    tokio::time::sleep(ROUND).await;
    STOP.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let done = DONE.load(Ordering::Relaxed) as f64;
    let cpu = thread_cpu() - cpu;
    Ok(Figures {
        rate: done / start.elapsed().as_secs_f64(),
        cpu_micros: cpu.as_secs_f64() * 1e6 / done,
    })
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a CPU time is not negative")
}

async fn drive_library(client: Client, work: Work, task: usize) -> Result<(), Failure> {
    let mut done = 0;
    while !STOP.load(Ordering::Relaxed) {
        let key = key(task + done);
        match work {
            Work::Get { size } => assert_eq!(client.get(&key).await?.map(|v| v.len()), Some(size)),
            Work::Set { size } => client.set(&key, value(size)).await?,
        }
        done += 1;
    }
    DONE.fetch_add(done as u64, Ordering::Relaxed);
    Ok(())
}

async fn drive_bare(
    mut client: CacheServiceClient<Channel>,
    work: Work,
    task: usize,
) -> Result<(), Failure> {
    let mut done = 0;
    while !STOP.load(Ordering::Relaxed) {
        let key = key(task + done);
        match work {
            Work::Get { size } => {
                assert_eq!(client.get(CacheKey { key }).await?.into_inner().value.len(), size);
            }
            Work::Set { size } => {
                client.set(CacheItem { key, value: value(size), ttl: 3600 }).await?;
            }
        }
        done += 1;
    }
    DONE.fetch_add(done as u64, Ordering::Relaxed);
    Ok(())
}

/// A value to write, shared and not copied.
fn value(size: usize) -> Bytes {
    static VALUE: [u8; 1024] = [7; 1024];
    Bytes::from_static(&VALUE[..size])
}
