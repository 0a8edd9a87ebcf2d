//! Readers that stop after the headers of a large value, while the values are replaced. What they
//! hold has a limit; they lose their streams or connections; and readers that are only slow get all
//! of what they asked for.

use std::time::{Duration, Instant};

use prost::Message;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    setting::{mib, start, transports},
    silent::allow_descriptors,
    support::{
        frames::{
            DATA, END_HEADERS, END_STREAM, Frames, HEADERS, SETTINGS, WINDOW_UPDATE, call_block,
            frame,
        },
        http::{Http, sample},
        messages::{item, key},
        process::Process,
        run,
        wire::framed,
    },
};

const STOPPED: u32 = 500;
const SLOW: usize = 8;
const VALUE_BYTES: usize = 1 << 20;

/// `CACHE_MAX_MEMORY_MB`, and an eighth of it.
const MEMORY_MB: &str = "100";
const LIMIT: u64 = 100 << 20;

/// What a slow reader takes in a second.
const RATE: usize = 64 << 10;

/// How long what is stopped may be held at the longest: the patience while room is short, and what a
/// look takes.
const GIVEN_UP: Duration = Duration::from_secs(30);

#[test]
#[ignore = "takes a minute; meant for a release build"]
fn stopped_readers_hold_no_more_than_their_limit() {
    allow_descriptors(u64::from(STOPPED) + 500);
    println!("transport  MiB above a full cache   pinned: most   after   refused   slow readers");
    for transport in transports() {
        run(stop(&transport));
    }
}

async fn stop(transport: &str) {
    let server = start(transport, &[("CACHE_MAX_MEMORY_MB", MEMORY_MB)]);
    // Twice the memory, so that what a full cache takes is no part of the figure.
    for number in 0..200 {
        set(&server, number % 100, 1).await;
    }
    let full = server.resident();
    let mut slow = JoinSet::new();
    for _ in 0..SLOW {
        slow.spawn(read_slowly(server.grpc_addr()));
    }
    sleep(Duration::from_millis(500)).await;

    // Each asks for four values, and never reads any of them. Their values are replaced meanwhile.
    let (mut stopped, mut most, mut pinned) = (Vec::new(), 0, 0.0_f64);
    for number in 0..STOPPED {
        stopped.push(ask_and_stop(&server, number).await);
        if number % 5 == 0 {
            set(&server, number / 5 % 60, number).await;
            most = most.max(server.resident());
            pinned = pinned.max(scrape(&server, "tiny_cache_pinned_bytes").await);
        }
    }
    let began = Instant::now();
    let mut after;
    loop {
        most = most.max(server.resident());
        after = scrape(&server, "tiny_cache_pinned_bytes").await;
        pinned = pinned.max(after);
        if after <= LIMIT as f64 / 8.0 || began.elapsed() > GIVEN_UP {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let refused = scrape(&server, "tiny_cache_pinned_refused_total").await;
    let read: Vec<usize> = slow.join_all().await;
    println!(
        "{transport:<9}  {:>22.1}   {:>8.1} MiB   {:>5.1}   {refused:>7}   {} of {SLOW} to the end",
        mib(most.saturating_sub(full)),
        pinned / f64::from(1 << 20),
        after / f64::from(1 << 20),
        read.iter().filter(|bytes| **bytes >= VALUE_BYTES).count(),
    );
    // All values of the cache may be held once, and then be replaced; and twice the eighth.
    let bound = LIMIT + 2 * LIMIT / 8;
    assert!(pinned <= bound as f64, "{transport}: {pinned} bytes are pinned");
    assert!(most <= full + bound, "{transport}: {} MiB above a full cache", mib(most - full));
    assert!(after <= LIMIT as f64 / 8.0, "{transport}: {after} bytes are held for good");
    assert!(read.iter().all(|bytes| *bytes >= VALUE_BYTES), "{transport}: slow readers: {read:?}");
    drop(stopped);
}

async fn set(server: &Process, number: u32, seed: u32) {
    let value = vec![(seed % 251) as u8; VALUE_BYTES];
    server.connect().await.set(item(format!("k{number}"), value)).await.unwrap();
}

async fn scrape(server: &Process, name: &str) -> f64 {
    let mut http = Http::connect(server.http_addr()).await.unwrap();
    sample(&http.get("/metrics").await.unwrap().body, name).unwrap()
}

fn get(stream: u32, name: &str) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, stream, &call_block("/cache.CacheService/Get"));
    let message = framed(false, &key(name).encode_to_vec());
    [head, frame(DATA, END_STREAM, stream, &message)].concat()
}

/// Opens its windows for all of four values, or for none of them, and reads nothing.
async fn ask_and_stop(server: &Process, number: u32) -> Frames {
    let mut frames = Frames::connect(server.grpc_addr()).await;
    let window: u32 = if number.is_multiple_of(2) { 1 << 24 } else { 0 };
    let setting = [&[0, 4][..], &window.to_be_bytes()].concat();
    let mut bytes = frame(SETTINGS, 0, 0, &setting);
    bytes.extend(frame(WINDOW_UPDATE, 0, 0, &(1u32 << 24).to_be_bytes()));
    for place in 0..4 {
        bytes.extend(get(2 * place + 1, &format!("k{}", (4 * number + place) % 60)));
    }
    frames.send_bytes(&bytes).await;
    frames
}

/// Reads a value at 64 KiB a second. Returns the bytes that came.
async fn read_slowly(addr: std::net::SocketAddr) -> usize {
    let mut frames = Frames::connect(addr).await;
    frames.send_bytes(&get(1, "k99")).await;
    let (mut came, mut granted) = (0, 0);
    let began = Instant::now();
    while let Some((head, payload)) = frames.read_frame().await {
        let [_, _, _, kind, flags, stream @ ..] = head;
        if u32::from_be_bytes(stream) == 1 {
            if kind == DATA {
                came += payload.len();
                granted += payload.len();
            }
            if flags & END_STREAM != 0 {
                break;
            }
        }
        // As gRPC's clients do: when half of the window is used.
        if granted >= 32 << 10 {
            for stream in [0, 1] {
                let more = u32::try_from(granted).unwrap().to_be_bytes();
                frames.send(WINDOW_UPDATE, 0, stream, &more).await;
            }
            granted = 0;
        }
        let due = Duration::from_secs_f64(came as f64 / RATE as f64);
        sleep(due.saturating_sub(began.elapsed())).await;
    }
    came
}
