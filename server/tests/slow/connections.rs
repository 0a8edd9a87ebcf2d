//! What a connection costs in resident memory: 10,000 that are idle, and 1,000 that each ask for
//! 1 MiB and read it slowly, on the engine and on hyper.

use std::time::Duration;

use prost::Message;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tiny_cache_proto::cache::CacheStatus;

use crate::support::{
    frames::{Frames, Outcome, WINDOW_UPDATE, block},
    messages::{item, key},
    process::Process,
    run,
};

const IDLE: u64 = 10_000;
const READERS: u64 = 1_000;
const VALUE_BYTES: usize = 1 << 20;

/// Connections and what else a process has open.
const DESCRIPTORS: u64 = IDLE + 200;

/// What a slow reader takes at a time, and how often.
const SIP: usize = 8 << 10;
const SIPS: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

#[test]
#[ignore = "opens thousands of connections; meant for a release build"]
fn an_idle_connection_takes_at_most_a_fifth_of_what_it_takes_on_hyper() {
    allow_descriptors();
    println!("resident bytes for each connection");
    println!("transport   idle, silent   idle after a call   reading 1 MiB slowly");
    let [engine, hyper] = ["engine", "hyper"].map(|transport| {
        let figures = run(measure(transport));
        println!(
            "{transport:<9} {:>14} {:>19} {:>22}",
            figures.silent, figures.called, figures.reading
        );
        figures
    });
    assert!(engine.silent * 5 <= hyper.silent, "{engine:?} {hyper:?}");
    assert!(engine.called * 5 <= hyper.called, "{engine:?} {hyper:?}");
    assert!(engine.reading * 5 <= hyper.reading, "{engine:?} {hyper:?}");
}

/// Resident bytes for each connection.
#[derive(Clone, Copy, Debug)]
struct Figures {
    /// Open, without a call so far.
    silent: u64,
    /// Open, after one call.
    called: u64,
    /// In the middle of a large reply.
    reading: u64,
}

async fn measure(transport: &str) -> Figures {
    let [silent, called] = idle(transport).await;
    Figures { silent, called, reading: reading(transport).await }
}

async fn start(transport: &str) -> Process {
    let server =
        Process::start(&[("CACHE_TRANSPORT", transport), ("CACHE_MAX_CONNECTIONS", "11000")]);
    let mut cache = server.connect().await;
    let set = cache.set(item("k", vec![7; VALUE_BYTES])).await.unwrap();
    assert_eq!(set.status(), CacheStatus::Ok);
    cache.set(item("small", "v")).await.unwrap();
    // What the first connections find in use is no part of theirs.
    for _ in 0..100 {
        let mut frames = Frames::connect(server.grpc_addr()).await;
        get(&mut frames, "small").await;
        answered(&mut frames).await;
    }
    server
}

async fn idle(transport: &str) -> [u64; 2] {
    let server = start(transport).await;
    let before = server.resident();
    let mut open = Vec::new();
    for _ in 0..IDLE {
        let mut frames = Frames::connect(server.grpc_addr()).await;
        frames.acknowledge().await;
        open.push(frames);
    }
    let silent = server.resident() - before;
    for frames in &mut open {
        get(frames, "small").await;
        answered(frames).await;
    }
    [silent, server.resident() - before].map(|grown| grown / IDLE)
}

async fn reading(transport: &str) -> u64 {
    let server = start(transport).await;
    let before = server.resident();
    let mut open = Vec::new();
    for _ in 0..READERS {
        let mut frames = Frames::connect(server.grpc_addr()).await;
        // What a client allows that does not look at windows: all at once.
        for stream in [0, 1] {
            let more = u32::try_from(2 * VALUE_BYTES).unwrap();
            if stream == 1 {
                get(&mut frames, "k").await;
            }
            frames.send(WINDOW_UPDATE, 0, stream, &more.to_be_bytes()).await;
        }
        open.push(frames);
    }
    let mut most = 0;
    for _ in 0..SIPS {
        for frames in &mut open {
            assert_eq!(frames.sip(SIP).await, SIP);
        }
        most = most.max(server.resident());
        tokio::time::sleep(PAUSE).await;
    }
    most.saturating_sub(before) / READERS
}

/// Asks for a value, on the first stream of a connection.
async fn get(frames: &mut Frames, asked: &str) {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/cache.CacheService/Get"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    frames.request(1, &block(&fields), 16 << 10, &key(asked).encode_to_vec()).await;
}

async fn answered(frames: &mut Frames) {
    let outcome = frames.outcome(1).await;
    assert!(matches!(outcome, Outcome::Answered(Some(_))), "{outcome:?}");
}

/// Lets this process open all connections. The server raises its own limit.
fn allow_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let enough = maximum.is_none_or(|maximum| maximum >= DESCRIPTORS);
    assert!(enough, "this needs {DESCRIPTORS} file descriptors, and may have {maximum:?}");
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum }).unwrap();
}
