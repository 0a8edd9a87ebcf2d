//! A load of every kind on one server: callers that behave, callers that come and go, callers that
//! give up, and some that send halves of requests.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use tiny_cache_proto::cache::{CacheItem, Empty};
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::Status;

use super::figures::Timed;
use crate::support::{
    Cache,
    deployment::channel,
    frames::{Frames, HEADERS, PREFACE, call_block},
    messages::{item, items, key, keys, lasting, swap},
    wire::{self, Wire, framed},
};

const CALLERS: u64 = 4;
const RESTARTING: u64 = 2;
const KEYS: u32 = 40_000;

/// Between two calls of a caller.
const PACE: Duration = Duration::from_millis(1);

/// Between two visits of those that come and go.
const PAUSE: Duration = Duration::from_millis(5);

/// What all of them did.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) restarts: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) halves: AtomicU64,
    pub(super) watches: AtomicU64,
    pub(super) errors: AtomicU64,
}

/// A load at work.
pub(super) struct Load {
    goes_on: Arc<AtomicBool>,
    counts: Arc<Counts>,
    others: JoinSet<()>,
    callers: JoinSet<Vec<Timed>>,
}

/// One of those that make it.
#[derive(Clone)]
struct Visitor {
    addr: SocketAddr,
    tls: bool,
    goes_on: Arc<AtomicBool>,
    counts: Arc<Counts>,
    random: Pcg64,
}

impl Load {
    pub(super) fn begin(addr: SocketAddr, tls: bool) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let counts = Arc::<Counts>::default();
        let mut seed = 0;
        let mut visitor = || {
            seed += 1;
            let random = Pcg64::seed_from_u64(seed);
            Visitor { addr, tls, goes_on: goes_on.clone(), counts: counts.clone(), random }
        };
        let (mut others, mut callers) = (JoinSet::new(), JoinSet::new());
        let began = Instant::now();
        for _ in 0..CALLERS {
            callers.spawn(visitor().call(began));
        }
        for _ in 0..RESTARTING {
            others.spawn(visitor().come_and_go());
        }
        others.spawn(visitor().give_up());
        others.spawn(visitor().leave_halves());
        others.spawn(visitor().watch());
        Self { goes_on, counts, others, callers }
    }

    /// Ends it, and returns what it did and how long the calls of those that behave took.
    pub(super) async fn end(self) -> (Arc<Counts>, Vec<Timed>) {
        self.goes_on.store(false, Relaxed);
        self.others.join_all().await;
        (self.counts, self.callers.join_all().await.concat())
    }
}

impl Visitor {
    fn goes_on(&self) -> bool {
        self.goes_on.load(Relaxed)
    }

    async fn cache(&self) -> Cache {
        Cache::new(channel(self.addr, self.tls).await.unwrap())
    }

    async fn wire(&self) -> Wire {
        Wire::open(wire::stream(self.addr, self.tls).await).await
    }

    /// Behaves: one call after the other, on one connection.
    async fn call(mut self, began: Instant) -> Vec<Timed> {
        let mut cache = self.cache().await;
        let mut timed = Vec::new();
        while self.goes_on() {
            let sent = Instant::now();
            self.checked_call(&mut cache).await;
            timed.push(Timed { at: sent - began, took: sent.elapsed() });
            sleep(PACE).await;
        }
        timed
    }

    /// Restarts: some calls on a connection, and then another connection.
    async fn come_and_go(mut self) {
        while self.goes_on() {
            let mut cache = self.cache().await;
            for _ in 0..self.random.random_range(1..40) {
                self.checked_call(&mut cache).await;
            }
            self.counts.restarts.fetch_add(1, Relaxed);
            sleep(PAUSE).await;
        }
    }

    async fn checked_call(&mut self, cache: &mut Cache) {
        let called = any_call(&mut self.random, cache).await;
        self.counts.errors.fetch_add(called.is_err().into(), Relaxed);
    }

    /// Cancels calls that are under way, on a connection that stays.
    async fn give_up(mut self) {
        let mut cache = self.cache().await;
        while self.goes_on() {
            let patience = Duration::from_micros(self.random.random_range(0..400));
            let call = any_call(&mut self.random, &mut cache);
            if timeout(patience, call).await.is_err() {
                self.counts.cancelled.fetch_add(1, Relaxed);
            }
            sleep(PACE).await;
        }
    }

    /// Leaves in the middle: of the preface, of a header block, of a message.
    async fn leave_halves(mut self) {
        while self.goes_on() {
            match self.random.random_range(0..3) {
                0 => {
                    let mut stream = wire::stream(self.addr, self.tls).await;
                    stream.write_all(&PREFACE[..self.random.random_range(0..24)]).await.unwrap();
                    stream.flush().await.unwrap();
                    self.linger().await;
                }
                1 => {
                    let stream = wire::stream(self.addr, self.tls).await;
                    let mut frames = Frames::over(stream).await;
                    frames.acknowledge().await;
                    // Without END_HEADERS.
                    frames.send(HEADERS, 0, 1, &call_block("/cache.CacheService/Get")).await;
                    self.linger().await;
                }
                _ => {
                    let mut wire = self.wire().await;
                    let whole = framed(false, &item("half", vec![7; 200_000]).encode_to_vec());
                    let half = whole.slice(..self.random.random_range(0..60_000));
                    let stalled = wire.stall("/cache.CacheService/Set", half).await.unwrap();
                    self.linger().await;
                    drop(stalled);
                }
            }
            self.counts.halves.fetch_add(1, Relaxed);
            sleep(PAUSE).await;
        }
    }

    /// Streams of health, that end with their caller.
    async fn watch(mut self) {
        while self.goes_on() {
            let mut wire = self.wire().await;
            for _ in 0..4 {
                let watch = wire.begin("/grpc.health.v1.Health/Watch", &[], &[]).await.unwrap();
                let started = watch.headers().await.unwrap();
                self.linger().await;
                drop(started);
                self.counts.watches.fetch_add(1, Relaxed);
            }
            sleep(PAUSE).await;
        }
    }

    fn linger(&mut self) -> impl Future<Output = ()> + use<> {
        sleep(Duration::from_micros(self.random.random_range(0..20_000)))
    }
}

/// One call of any RPC.
async fn any_call(random: &mut Pcg64, cache: &mut Cache) -> Result<(), Status> {
    match random.random_range(0..100) {
        0..50 => cache.get(key(name(random))).await.map(drop),
        50..70 => cache.set(any_item(random)).await.map(drop),
        70..75 => cache.set_if_absent(any_item(random)).await.map(drop),
        75..80 => {
            let name = name(random);
            let held = cache.get(key(name.clone())).await?.value;
            cache.compare_and_set(swap(name, held, value(random))).await.map(drop)
        }
        80..85 => cache.delete(key(name(random))).await.map(drop),
        85..92 => {
            let names: Vec<String> = (0..20).map(|_| name(random)).collect();
            cache.multi_get(keys(names)).await.map(drop)
        }
        92..96 => {
            let several: Vec<CacheItem> = (0..5).map(|_| any_item(random)).collect();
            cache.multi_set(items(several)).await.map(drop)
        }
        96..98 => {
            let names: Vec<String> = (0..5).map(|_| name(random)).collect();
            cache.multi_delete(keys(names)).await.map(drop)
        }
        _ => cache.stats(Empty {}).await.map(drop),
    }
}

/// Fills a cache of so many bytes twice over.
pub(super) async fn fill(addr: SocketAddr, tls: bool, bytes: usize) {
    let mut cache = Cache::new(channel(addr, tls).await.unwrap());
    let mut random = Pcg64::seed_from_u64(0);
    let mut written = 0;
    while written < 2 * bytes {
        let item = any_item(&mut random);
        written += item.value.len() + 200;
        cache.set(item).await.unwrap();
    }
}

fn name(random: &mut Pcg64) -> String {
    // Some keys are asked for more often than others.
    let n = random.random_range(0..KEYS).min(random.random_range(0..KEYS));
    format!("key-{n}")
}

fn any_item(random: &mut Pcg64) -> CacheItem {
    let ttl = if random.random_bool(0.3) { random.random_range(1..60) } else { 0 };
    lasting(name(random), value(random), ttl)
}

fn value(random: &mut Pcg64) -> Bytes {
    let length = match random.random_range(0..1000) {
        0 => 512 << 10,
        1..30 => 64 << 10,
        30..200 => random.random_range(2_000..16_000),
        _ => random.random_range(0..1_000),
    };
    vec![7; length].into()
}
