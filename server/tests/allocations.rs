//! A request allocates nothing, and a write only its entry. Counted by the global allocator of
//! this process, in which the server runs and the client allocates nothing either.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

#[path = "support/mod.rs"]
mod support;

use std::{
    alloc::System,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use prost::Message;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tiny_cache_proto::{
    method::CacheMethod,
    v1::{LeaseRequest, ReadRequest},
};

use support::{
    Deployment, Site,
    frames::{DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, WINDOW_UPDATE, block, frame},
    messages::{item, key, read, remove, write},
    wire::framed,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests of a turn.
const BATCH: usize = 32;

/// Turns before anything is counted: buffers grow to their size, tables to theirs.
const WARM: usize = 200;

const COUNTED: usize = 300;

/// A connection whose requests are written before the first is sent.
struct Prepared {
    socket: TcpStream,
    turns: Vec<Vec<u8>>,
    input: Vec<u8>,
}

fn connect(addr: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(addr).unwrap();
    let mut begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    begin.extend(frame(SETTINGS, 0, 0, &[]));
    begin.extend(frame(WINDOW_UPDATE, 0, 0, &0x7fff_0000_u32.to_be_bytes()));
    socket.write_all(&begin).unwrap();
    socket
}

fn head(method: CacheMethod) -> Vec<u8> {
    block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method.path()),
        (":authority", "cache"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", "60S"),
        ("x-cache-namespace", "team"),
        ("authorization", "Bearer the-first-token-of-web"),
    ])
}

impl Prepared {
    /// The same request on each stream.
    fn new(addr: SocketAddr, method: CacheMethod, message: &[u8]) -> Self {
        let (socket, head) = (connect(addr), head(method));
        let body = framed(false, message);
        let mut streams = (1..).step_by(2);
        let turn = |_| {
            let mut turn = Vec::new();
            for stream in streams.by_ref().take(BATCH) {
                turn.extend(frame(HEADERS, END_HEADERS, stream, &head));
                turn.extend(frame(DATA, END_STREAM, stream, &body));
            }
            turn
        };
        let turns = (0..WARM + COUNTED).map(turn).collect();
        Self { socket, turns, input: vec![0; 1 << 20] }
    }

    /// Sends turns, each when the one before it is answered.
    fn send(&mut self, turns: std::ops::Range<usize>) {
        for turn in turns {
            self.socket.write_all(&self.turns[turn]).unwrap();
            self.await_replies();
        }
    }

    /// Reads until as many streams have ended as a turn has.
    fn await_replies(&mut self) {
        let (mut there, mut ended) = (0, 0);
        while ended < BATCH {
            let read = self.socket.read(&mut self.input[there..]).unwrap();
            assert!(read > 0, "the server has closed the connection");
            there += read;
            let mut at = 0;
            while let Some(head) = self.input[at..there].first_chunk::<9>() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                if there - at < 9 + length {
                    break;
                }
                ended += usize::from(head[3] == HEADERS && head[4] & END_STREAM != 0);
                at += 9 + length;
            }
            self.input.copy_within(at..there, 0);
            there -= at;
        }
    }
}

/// Allocations for each request, of the whole process.
fn allocations(addr: SocketAddr, method: CacheMethod, message: &impl Message) -> f64 {
    let mut prepared = Prepared::new(addr, method, &message.encode_to_vec());
    prepared.send(0..WARM);
    let region = Region::new(ALLOCATOR);
    prepared.send(WARM..WARM + COUNTED);
    let change = region.change();
    (change.allocations + change.reallocations) as f64 / (COUNTED * BATCH) as f64
}

/// Beside the requests, upkeep and the clocks of the runtimes allocate now and then.
const OTHERS: f64 = 0.01;

/// The caller of these requests, and its rights.
const TOKENS: &str = "web 26c89352d9091b45cfe8df21a5bde6b797bcdd7493ec5f6ffb0c0352186cd07b";
const RULES: &str =
    "[[rule]]\nidentity = \"token:web\"\nnamespaces = [\"team\"]\nrights = [\"read\", \"write\"]";

#[test]
fn a_read_allocates_nothing_a_write_only_its_entry_and_who_waits_little() {
    // In one test: another one beside it would be counted too.
    waiters_take_little();
    counts(&Deployment::OneWorkerOneShard.start());
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (rules, tokens) = (file("rules.toml"), file("tokens"));
    fs::write(&rules, RULES).unwrap();
    fs::write(&tokens, TOKENS).unwrap();
    counts(
        &Deployment::OneWorkerOneShard.start_with(&[
            ("CACHE_ACCESS_RULES_PATH", &rules),
            ("CACHE_ACCESS_TOKENS_PATH", &tokens),
        ]),
    );
}

fn counts(site: &Site) {
    let addr = site.grpc_addr();
    let set = allocations(addr, CacheMethod::Set, &item("greeting", "a value of some bytes"));
    let hit = allocations(addr, CacheMethod::Get, &key("greeting"));
    let miss = allocations(addr, CacheMethod::Get, &key("farewell"));
    let delete = allocations(addr, CacheMethod::Delete, &key("farewell"));
    assert!((1.0..1.0 + OTHERS).contains(&set), "a write over an entry: {set}");
    let seen = allocations(addr, CacheMethod::Read, &read("greeting"));
    let absent = allocations(addr, CacheMethod::Read, &read("farewell"));
    let gone = allocations(addr, CacheMethod::Remove, &remove("farewell", None));
    let written = allocations(addr, CacheMethod::Write, &write("greeting", "another value"));
    assert!((1.0..1.0 + OTHERS).contains(&written), "a Write over an entry: {written}");
    let first = [("hit", hit), ("miss", miss), ("delete", delete)];
    for (what, count) in
        first.into_iter().chain([("Read", seen), ("no Read", absent), ("Remove", gone)])
    {
        assert!(count < OTHERS, "{what}: {count}");
    }
}

/// 10,000 callers wait for one lease. What each holds includes what its connection has for it, and
/// tonic.
fn waiters_take_little() {
    const CONNECTIONS: usize = 100;
    const STREAMS: u32 = 100;
    let site = Deployment::SeveralWorkersAndShards.start();
    let addr = site.grpc_addr();
    let lease = Some(LeaseRequest { lease_ms: 60_000, wait_ms: 60_000 });
    let asked = ReadRequest { lease, ..read("awaited") }.encode_to_vec();
    let (head, body) = (head(CacheMethod::Read), framed(false, &asked));
    let request = |stream| {
        let data = frame(DATA, END_STREAM, stream, &body);
        [frame(HEADERS, END_HEADERS, stream, &head), data].concat()
    };
    let mut holder = connect(addr);
    holder.write_all(&request(1)).unwrap();
    let requests: Vec<u8> = (0..STREAMS).flat_map(|number| request(2 * number + 1)).collect();
    let mut sockets: Vec<_> = (0..CONNECTIONS).map(|_| connect(addr)).collect();
    settle();

    let region = Region::new(ALLOCATOR);
    for socket in &mut sockets {
        socket.write_all(&requests).unwrap();
    }
    settle();
    let change = region.change();
    let held = change.bytes_allocated as i64 - change.bytes_deallocated as i64;
    let each = held / (CONNECTIONS as i64 * i64::from(STREAMS));
    assert!(each > 100, "they do not wait: {each} bytes each");
    // 10,000 of them take less than 20 MiB.
    assert!(each < (20 << 20) / 10_000, "{each} bytes each");
}

/// Waits until nothing is allocated any more.
fn settle() {
    let mut last = usize::MAX;
    loop {
        std::thread::sleep(std::time::Duration::from_millis(700));
        let now = ALLOCATOR.stats().allocations;
        // Upkeep allocates now and then.
        if now.abs_diff(last) < 50 {
            return;
        }
        last = now;
    }
}
