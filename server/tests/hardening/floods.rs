//! Floods of each kind of frame from ten connections, beside a client that does nothing wrong.
//!
//! Each is cut off, or harmless. `requests` is no attack: what as many connections take that ask
//! as fast as they can, for comparison.

use std::time::{Duration, Instant};

use prost::Message;

use crate::{
    attack::{Attack, Attackers, Tallied},
    neighbour::{self, Fared, Neighbour},
    setting::{attack_time, mib, millis, start, transports},
    support::{
        frames::{
            CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM,
            SETTINGS, WINDOW_UPDATE, call_block, frame,
        },
        messages::{item, key},
        process::Process,
        run,
        wire::framed,
    },
};

const CONNECTIONS: usize = 10;

/// Memory above idle that no flood may take.
const MOST_BYTES: u64 = 32 << 20;

/// Beyond ten times the target of twice the base something is wrong with more than the machine.
const TARGET: f64 = 2.0;
const FAR_OUT: Duration = Duration::from_secs(5);

/// What the budgets allow takes some hundredths of a core.
const FAR_OUT_CORES: f64 = 0.1;

/// Frames in a wave.
const WAVE: u32 = 500;

fn opening_of_nothing() -> Vec<u8> {
    Vec::new()
}

/// A call whose message never comes.
fn a_call_is_open() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &call_block("/cache.CacheService/Set"))
}

fn many(one: &[u8]) -> Vec<u8> {
    one.repeat(WAVE as usize)
}

/// Each with a stream of its own.
fn streams(number: u32, one: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..WAVE).flat_map(|place| one(2 * (number * WAVE + place) + 1)).collect()
}

fn get(stream: u32, name: &str) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, stream, &call_block("/cache.CacheService/Get"));
    let message = framed(false, &key(name).encode_to_vec());
    [head, frame(DATA, END_STREAM, stream, &message)].concat()
}

fn initial_window(bytes: u32) -> Vec<u8> {
    [&[0, 4][..], &bytes.to_be_bytes()].concat()
}

/// A window of nothing for each stream, and a large value asked for.
fn a_large_reply_waits() -> Vec<u8> {
    let all = frame(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes());
    [frame(SETTINGS, 0, 0, &initial_window(0)), all, get(1, "large")].concat()
}

/// A field of 4,000 bytes, put into the table.
fn a_long_field() -> Vec<u8> {
    let mut head = call_block("/cache.CacheService/Get");
    head.extend([0x40, 1, b'a', 127, 0xa1, 0x1e]);
    head.extend([b'v'; 4000]);
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &head)
}

/// A message of 500 bytes, byte by byte.
fn in_single_bytes(number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    let message = framed(false, &item("tiny", vec![b'v'; WAVE as usize]).encode_to_vec());
    let head = frame(HEADERS, END_HEADERS, stream, &call_block("/cache.CacheService/Set"));
    let (last, bytes) = message.split_last().unwrap();
    let each = bytes.iter().flat_map(|byte| frame(DATA, 0, stream, &[*byte]));
    let last = frame(DATA, END_STREAM, stream, &[*last]);
    [head, each.collect(), last].concat()
}

const FLOODS: [Attack; 17] = [
    flood("ping", opening_of_nothing, |_| many(&frame(PING, 0, 0, &[0; 8]))),
    flood("pong", opening_of_nothing, |_| many(&frame(PING, 1, 0, &[0; 8]))),
    flood("settings", opening_of_nothing, |_| many(&frame(SETTINGS, 0, 0, &initial_window(9)))),
    flood("long settings", opening_of_nothing, |_| {
        frame(SETTINGS, 0, 0, &[initial_window(9), initial_window(8)].concat().repeat(1365))
            .repeat(10)
    }),
    flood("settings ack", opening_of_nothing, |_| many(&frame(SETTINGS, 1, 0, &[]))),
    flood("priority", opening_of_nothing, |_| many(&frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]))),
    flood("window_update", a_call_is_open, |_| {
        many(&frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes()))
    }),
    flood("tiny windows", a_large_reply_waits, |_| {
        many(&frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes()))
    }),
    flood("empty data", a_call_is_open, |_| many(&frame(DATA, 0, 1, &[]))),
    flood("single bytes", opening_of_nothing, in_single_bytes),
    flood("unknown frames", opening_of_nothing, |_| many(&frame(0xbe, 0, 0, &[]))),
    flood("continuation", || frame(HEADERS, 0, 1, &[]), |_| many(&frame(CONTINUATION, 0, 1, &[]))),
    flood(
        "long block",
        || frame(HEADERS, 0, 1, &[]),
        |_| frame(CONTINUATION, 0, 1, &[0; 16 << 10]).repeat(10),
    ),
    flood("header list bomb", a_long_field, |number| {
        (0..10)
            .flat_map(|place| {
                let mut head = call_block("/cache.CacheService/Get");
                head.extend([0xbe; 16_000]);
                frame(HEADERS, END_HEADERS | END_STREAM, 2 * (10 * number + place) + 3, &head)
            })
            .collect()
    }),
    flood("rapid reset", opening_of_nothing, |number| {
        streams(number, |stream| {
            [get(stream, "k"), frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
        })
    }),
    flood("made you reset", opening_of_nothing, |number| {
        streams(number, |stream| {
            let head = frame(HEADERS, END_HEADERS, stream, &call_block("/cache.CacheService/Get"));
            [head, frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
        })
    }),
    flood("requests", opening_of_nothing, |number| streams(number, |stream| get(stream, "k"))),
];

const fn flood(name: &'static str, opening: fn() -> Vec<u8>, wave: fn(u32) -> Vec<u8>) -> Attack {
    Attack { name, opening, wave, pause: Duration::ZERO }
}

/// As many frames as each budget allows for good, in four waves a second.
const WITHIN: [Attack; 6] = [
    within("ping", opening_of_nothing, |_| frame(PING, 0, 0, &[0; 8]).repeat(4)),
    within("settings", opening_of_nothing, |_| frame(SETTINGS, 0, 0, &initial_window(9))),
    within("priority", opening_of_nothing, |_| frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]).repeat(4)),
    within("window_update", a_call_is_open, |_| {
        frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes()).repeat(64)
    }),
    within("tiny windows", a_large_reply_waits, |_| {
        frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes()).repeat(64)
    }),
    within("rapid reset", opening_of_nothing, |number| {
        (0..32)
            .flat_map(|place| {
                let stream = 2 * (number * 32 + place) + 1;
                [get(stream, "k"), frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
            })
            .collect()
    }),
];

const fn within(name: &'static str, opening: fn() -> Vec<u8>, wave: fn(u32) -> Vec<u8>) -> Attack {
    Attack { name, opening, wave, pause: Duration::from_millis(250) }
}

#[test]
#[ignore = "attacks a server for a minute; meant for a release build"]
fn floods_are_cut_off_or_harmless() {
    let mut broken = Vec::new();
    for transport in transports() {
        println!("{}", Figures::HEADING);
        let base = run(base(&transport));
        for attack in FLOODS {
            let figures = run(against(&transport, &base, attack));
            println!("{figures}");
            broken.extend(figures.broken());
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Nobody is cut off for what the budgets allow, so that has to cost next to nothing.
#[test]
#[ignore = "attacks a server for a minute; meant for a release build"]
fn what_the_budgets_allow_costs_next_to_nothing() {
    let mut broken = Vec::new();
    for transport in transports() {
        println!("{}", Figures::HEADING);
        let base = run(base(&transport));
        for attack in WITHIN {
            let beside = run(against(&transport, &base, attack));
            let figures = Figures { cores: run(alone(&transport, attack)), ..beside };
            println!("{figures}");
            broken.extend(figures.broken());
            if figures.cores > FAR_OUT_CORES {
                let cores = figures.cores;
                broken.push(format!("{transport}, {}: it takes {cores:.2} cores", attack.name));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What one attack showed.
struct Figures {
    transport: String,
    attack: Attack,
    tallied: Tallied,
    /// How the neighbour fares alone.
    base: Fared,
    beside: Fared,
    cores: f64,
    grown: u64,
}

async fn with_values(transport: &str) -> Process {
    let server = start(transport, &[]);
    let mut cache = server.connect().await;
    cache.set(item("k", "v")).await.unwrap();
    cache.set(item("large", vec![7; 1 << 20])).await.unwrap();
    server
}

async fn base(transport: &str) -> Fared {
    let server = with_values(transport).await;
    let neighbour = Neighbour::begin(server.grpc_addr(), neighbour::BUSY);
    tokio::time::sleep(attack_time()).await;
    neighbour.end()
}

async fn against(transport: &str, base: &Fared, attack: Attack) -> Figures {
    let server = with_values(transport).await;
    let time = attack_time();
    // What the first connections find in use is no part of the figure.
    for _ in 0..100 {
        server.connect().await.get(key("k")).await.unwrap();
    }
    let idle = server.resident();

    let neighbour = Neighbour::begin(server.grpc_addr(), neighbour::BUSY);
    let attackers = Attackers::begin(server.grpc_addr(), attack, CONNECTIONS);
    let (most, cores) = watch(&server, time).await;
    let tallied = attackers.end();
    let beside = neighbour.end();
    let transport = transport.to_owned();
    let grown = most.saturating_sub(idle);
    Figures { transport, attack, tallied, base: base.clone(), beside, cores, grown }
}

/// The cores that a server takes for an attack and nothing else: a neighbour's own share differs
/// from run to run by more than such an attack costs. Of a few times the least counts, as whatever
/// else runs on the machine only adds.
async fn alone(transport: &str, attack: Attack) -> f64 {
    let server = with_values(transport).await;
    let attackers = Attackers::begin(server.grpc_addr(), attack, CONNECTIONS);
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        let (_, cores) = watch(&server, attack_time()).await;
        least = least.min(cores);
        if least <= FAR_OUT_CORES {
            break;
        }
    }
    attackers.end();
    least
}

/// The most memory that a server has during a time, and the cores that it takes.
pub(crate) async fn watch(server: &Process, time: Duration) -> (u64, f64) {
    let (began, before) = (Instant::now(), server.cpu());
    let mut most = 0;
    while began.elapsed() < time {
        most = most.max(server.resident());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = server.cpu() - before;
    (most, took.as_secs_f64() / began.elapsed().as_secs_f64())
}

impl Figures {
    const HEADING: &'static str = "transport  attack              cut off   MB sent   cores   \
                                   p99 base   p99 beside   ratio   MiB more";

    fn ratio(&self) -> f64 {
        self.beside.at(990).as_secs_f64() / self.base.at(990).as_secs_f64()
    }

    fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let of = format!("{}, {}", self.transport, self.attack.name);
        if self.grown > MOST_BYTES {
            broken.push(format!("{of}: {:.1} MiB above idle", mib(self.grown)));
        }
        let failures = [&self.base.failures[..], &self.beside.failures].concat();
        if !failures.is_empty() || self.beside.calls() == 0 {
            broken.push(format!("{of}: the neighbour's calls failed: {failures:?}"));
        }
        if self.ratio() > 10.0 * TARGET && self.beside.at(990) > FAR_OUT {
            broken.push(format!("{of}: a neighbour's p99 of {:?}", self.beside.at(990)));
        }
        broken
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tallied { sent, cuts } = self.tallied;
        write!(
            f,
            "{:<9}  {:<18} {cuts:>8}  {:>8.1}  {:>6.2}  {:>6.2} ms   {:>7.2} ms  {:>6.1}  {:>9.1}",
            self.transport,
            self.attack.name,
            sent as f64 / 1e6,
            self.cores,
            millis(self.base.at(990)),
            millis(self.beside.at(990)),
            self.ratio(),
            mib(self.grown),
        )
    }
}
