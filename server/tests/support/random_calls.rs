//! Random calls of every RPC of both services, each reply of which is compared with a plain model. Several lanes
//! share the connections; each has keys of its own, so that its calls follow one another.

mod second; // the calls of the second service

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::RngExt;
use tiny_cache_proto::cache::{
    CacheItem, CacheStatus, CompareAndSetRequest, ConditionalCacheStatus, Empty, MultiCacheResponse,
};
use tokio::task::JoinSet;
use tonic::{Request, Response, Status, codec::CompressionEncoding, transport::Channel};

use super::{
    Cache, Second, Site,
    messages::{items, key, keys, lasting},
    model::{After, MAX_BATCH, MAX_VALUE, Met, Model, Name, Refusal, Span},
    random_requests::{Choose, NONE, Spelt},
};

/// The settings of the server: with room for everything.
pub(crate) const ROOMY: [(&str, &str); 3] = [
    ("CACHE_MAX_MEMORY_MB", "512"),
    ("CACHE_MAX_VALUE_BYTES", "1048576"),
    ("CACHE_MAX_BATCH_ITEMS", "200"),
];

const LANES: usize = 16;
const CONNECTIONS: usize = 2;

/// What was asked, and told.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// By RPC.
    pub(crate) calls: BTreeMap<&'static str, u64>,
    /// Calls, and items of batches.
    pub(crate) refusals: BTreeMap<Refusal, u64>,
    pub(crate) items: u64,
    pub(crate) compressed: u64,
    /// Operations that may or may not have met the deadline of their entry.
    pub(crate) close: u64,
    pub(crate) expired: u64,
    /// Reads that got a stale value.
    pub(crate) stale: u64,
    hits: u64,
    misses: u64,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        for (rpc, calls) in &other.calls {
            *self.calls.entry(rpc).or_default() += calls;
        }
        for (refusal, count) in &other.refusals {
            *self.refusals.entry(*refusal).or_default() += count;
        }
        self.items += other.items;
        self.compressed += other.compressed;
        self.close += other.close;
        self.expired += other.expired;
        self.stale += other.stale;
        self.hits += other.hits;
        self.misses += other.misses;
    }
}

/// Makes about so many calls, with a rest in their middle in which entries expire, and compares each
/// reply, and at the end the server's own figures.
///
/// # Panics
///
/// Panics on the first difference.
pub(crate) async fn agree_with_a_model(
    site: &Site,
    (calls, rest): (usize, Duration),
    seed: u64,
) -> Figures {
    let mut lanes = JoinSet::new();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(site.channel().await);
    }
    for number in 0..LANES {
        let channel = connections[number % CONNECTIONS].clone();
        let lane = Lane::new(number, channel, seed, !site.has_tier);
        lanes.spawn(lane.run(calls / LANES, rest));
    }
    let lanes = lanes.join_all().await;

    let mut figures = Figures::default();
    for lane in &lanes {
        figures.add(&lane.figures);
    }
    let mut cache = Cache::new(connections[0].clone());
    let begin = Instant::now();
    let stats = cache.stats(Empty {}).await.unwrap();
    let span = Span { begin, end: Instant::now() };
    let sizes = lanes.iter().map(|lane| lane.model.size(span));
    let (least, most) = sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
    let size = usize::try_from(stats.size).unwrap();
    // Over a second tier the store has a part of them.
    let least = if site.has_tier { 0 } else { least };
    assert!((least..=most).contains(&size), "{size} entries, not {least} to {most}");
    let count = |count: i32| u64::try_from(count).unwrap();
    assert_eq!(count(stats.hits), figures.hits);
    assert_eq!(count(stats.misses), figures.misses);
    assert!(site.has_tier || stats.evictions == 0, "{stats:?}");
    let oversize = figures.refusals.get(&Refusal::LargeValue).copied().unwrap_or_default();
    assert_eq!(count(stats.rejected_oversize), oversize);
    figures.expired = count(stats.expired_removals);
    figures
}

/// One caller.
struct Lane {
    number: usize,
    /// The second one compresses its requests.
    caches: [Cache; 2],
    /// Likewise.
    seconds: [Second; 2],
    /// Whether the server has the second service.
    has_second: bool,
    /// The highest version of each key that was seen.
    floors: HashMap<Name, i64>,
    choose: Choose,
    model: Model,
    figures: Figures,
}

impl Lane {
    fn new(number: usize, channel: Channel, seed: u64, has_second: bool) -> Self {
        const GZIP: CompressionEncoding = CompressionEncoding::Gzip;
        let cache = Cache::new(channel.clone());
        let second = Second::new(channel).max_decoding_message_size(usize::MAX);
        let packed = second.clone().send_compressed(GZIP);
        Self {
            number,
            caches: [cache.clone(), cache.with(|client| client.send_compressed(GZIP))],
            seconds: [second, packed],
            has_second,
            floors: HashMap::new(),
            choose: Choose::new(number, seed),
            model: Model::default(),
            figures: Figures::default(),
        }
    }

    async fn run(mut self, calls: usize, rest: Duration) -> Self {
        for call in 0..calls {
            if call == calls / 2 {
                tokio::time::sleep(rest).await;
            }
            let of = if self.has_second { 160 } else { 100 };
            match self.choose.random.random_range(0..of) {
                100.. => self.second_service().await,
                0..38 => self.get().await,
                38..58 => self.set().await,
                58..67 => self.set_if_absent().await,
                67..78 => self.compare_and_set().await,
                78..84 => self.delete().await,
                84..90 => self.multi_get().await,
                90..95 => self.multi_set().await,
                95..98 => self.multi_delete().await,
                _ => self.stats().await,
            }
        }
        self.figures.close = self.model.close;
        self
    }

    async fn get(&mut self) {
        let (spelt, name) = self.choose.name();
        let call = async |mut cache: Cache, request| cache.get(request).await;
        let (span, told) = self.ask("Get", spelt, key(&name.key), call).await;
        let told = told.map(|found| found.found.then_some(found.value));
        self.count_reads(&told);
        self.judge(&name, span, &told, |found| (Ok(found.cloned()), After::Same));
    }

    async fn set(&mut self) {
        let (spelt, name) = self.choose.name();
        let (mut value, ttl) = (self.choose.value(), self.choose.ttl());
        let too_large = name.refusal().is_none() && self.choose.random.random_ratio(1, 400);
        if too_large {
            value = vec![7; 4 * MAX_VALUE].into();
        }
        let call = async |mut cache: Cache, request| cache.set(request).await;
        let item = lasting(&name.key, value.clone(), ttl);
        let (span, told) = self.ask("Set", spelt, item, call).await;
        let told = told.map(|set| set.status());
        self.judge(&name, span, &told, |_| {
            if too_large {
                (Err(Refusal::LargeMessage), After::Same)
            } else {
                write(CacheStatus::Ok, &value, ttl)
            }
        });
    }

    async fn set_if_absent(&mut self) {
        let (spelt, name) = self.choose.name();
        let (value, ttl) = (self.choose.value(), self.choose.ttl());
        let call = async |mut cache: Cache, request| cache.set_if_absent(request).await;
        let item = lasting(&name.key, value.clone(), ttl);
        let (span, told) = self.ask("SetIfAbsent", spelt, item, call).await;
        let told = told.map(|set| set.status());
        self.judge(&name, span, &told, |found| match found {
            Some(_) => (Ok(ConditionalCacheStatus::Exists), After::Same),
            None => write(ConditionalCacheStatus::Stored, &value, ttl),
        });
    }

    async fn compare_and_set(&mut self) {
        let (spelt, name) = self.choose.name();
        let (value, ttl) = (self.choose.value(), self.choose.ttl());
        let held = self.model.value(&name).cloned();
        let expected = held.filter(|_| self.choose.random.random_bool(0.6));
        let expected = expected.unwrap_or_else(|| self.choose.value());
        let swap = CompareAndSetRequest {
            key: name.key.clone(),
            expected_value: expected.clone(),
            value: value.clone(),
            ttl,
        };
        let call = async |mut cache: Cache, request| cache.compare_and_set(request).await;
        let (span, told) = self.ask("CompareAndSet", spelt, swap, call).await;
        let told = told.map(|set| set.status());
        self.judge(&name, span, &told, |found| match found {
            None => (Ok(ConditionalCacheStatus::NotFound), After::Same),
            Some(found) if *found == expected => write(ConditionalCacheStatus::Stored, &value, ttl),
            Some(_) => (Ok(ConditionalCacheStatus::Mismatch), After::Same),
        });
    }

    async fn delete(&mut self) {
        let (spelt, name) = self.choose.name();
        let call = async |mut cache: Cache, request| cache.delete(request).await;
        let (span, told) = self.ask("Delete", spelt, key(&name.key), call).await;
        let told = told.map(|deleted| deleted.status());
        self.judge(&name, span, &told, |_| (Ok(CacheStatus::Ok), After::Gone));
    }

    async fn multi_get(&mut self) {
        let (spelt, names) = self.choose.names();
        let call = async |mut cache: Cache, request| cache.multi_get(request).await;
        let asked = keys(names.iter().map(|name| name.key.clone()));
        let (span, told) = self.ask("MultiGet", spelt, asked, call).await;
        let told = told.map(|reply| reply.items);
        let held = names.iter().filter_map(|name| self.model.value(name)).map(Bytes::len);
        let held: usize = held.sum();
        for (name, told) in self.items(spelt, names, told, |item| &item.key) {
            if told.error.starts_with("Reply would exceed the message limit") {
                assert!(held > 3 * MAX_VALUE, "a reply of {held} bytes is no reason");
                self.figures.hits += 1;
                continue;
            }
            let told = outcome(&told.error, || told.found.then_some(told.value));
            self.count_reads(&told);
            self.judge(&name, span, &told, |found| (Ok(found.cloned()), After::Same));
        }
    }

    async fn multi_set(&mut self) {
        let (spelt, names) = self.choose.names();
        let mut batch = Vec::new();
        // A message holds 4 MiB.
        let mut bytes = 0;
        for name in &names {
            let value =
                Some(self.choose.value()).filter(|value| bytes + value.len() < 3 * MAX_VALUE);
            let value = value.unwrap_or_default();
            bytes += value.len();
            batch.push(lasting(&name.key, value, self.choose.ttl()));
        }
        let call = async |mut cache: Cache, request| cache.multi_set(request).await;
        let told = self.ask("MultiSet", spelt, items(batch.clone()), call).await;
        self.judge_writes((spelt, names), batch, told, |item| {
            write(CacheStatus::Ok, &item.value, item.ttl)
        });
    }

    async fn multi_delete(&mut self) {
        let (spelt, names) = self.choose.names();
        let call = async |mut cache: Cache, request| cache.multi_delete(request).await;
        let asked = keys(names.iter().map(|name| name.key.clone()));
        let told = self.ask("MultiDelete", spelt, asked.clone(), call).await;
        let gone = |_: &String| (Ok(CacheStatus::Ok), After::Gone);
        self.judge_writes((spelt, names), asked.keys, told, gone);
    }

    /// The fields that do not depend on other lanes.
    async fn stats(&mut self) {
        let call = async |mut cache: Cache, request| cache.stats(request).await;
        let (_, told) = self.ask("Stats", NONE, Empty {}, call).await;
        let told = told.unwrap();
        assert_eq!(told.max_value_bytes, MAX_VALUE as i64);
        assert_eq!((told.max_memory_bytes, told.max_items), (512 << 20, 0));
        assert_eq!((told.evictions, told.lru_evictions, told.rejected_capacity), (0, 0, 0));
        assert!(u64::try_from(told.hits).unwrap() >= self.figures.hits);
        assert!(u64::try_from(told.misses).unwrap() >= self.figures.misses);
    }

    /// Makes a call. Every tenth is compressed.
    async fn ask<M, R>(
        &mut self,
        rpc: &'static str,
        spelt: Spelt,
        message: M,
        call: impl AsyncFnOnce(Cache, Request<M>) -> Result<R, Status>,
    ) -> (Span, Result<R, Refusal>) {
        let packs = self.choose.random.random_ratio(1, 10);
        let cache = self.caches[usize::from(packs)].clone();
        let call = async |request| call(cache, request).await;
        self.timed((rpc, packs), spelt, message, call).await
    }

    /// Likewise, to the second service.
    async fn ask_second<M, R>(
        &mut self,
        rpc: &'static str,
        spelt: Spelt,
        message: M,
        call: impl AsyncFnOnce(Second, Request<M>) -> Result<Response<R>, Status>,
    ) -> (Span, Result<R, Refusal>) {
        let packs = self.choose.random.random_ratio(1, 10);
        let second = self.seconds[usize::from(packs)].clone();
        let call = async |request| call(second, request).await.map(Response::into_inner);
        self.timed((rpc, packs), spelt, message, call).await
    }

    async fn timed<M, R>(
        &mut self,
        (rpc, packs): (&'static str, bool),
        spelt: Spelt,
        message: M,
        call: impl AsyncFnOnce(Request<M>) -> Result<R, Status>,
    ) -> (Span, Result<R, Refusal>) {
        let mut request = Request::new(message);
        if let Some(sent) = spelt.sent {
            request.metadata_mut().insert("x-cache-namespace", sent.parse().unwrap());
        }
        let begin = Instant::now();
        let told = call(request).await.map_err(|status| Refusal::of(&status));
        let span = Span { begin, end: Instant::now() };
        *self.figures.calls.entry(rpc).or_default() += 1;
        self.figures.compressed += u64::from(packs);
        if let Err(refusal) = &told {
            *self.figures.refusals.entry(*refusal).or_default() += 1;
        }
        (span, told)
    }

    /// Compares one operation.
    fn judge<T: PartialEq + Debug>(
        &mut self,
        name: &Name,
        span: Span,
        told: &Result<T, Refusal>,
        rule: impl Fn(Option<&Bytes>) -> (Result<T, Refusal>, After),
    ) {
        self.judge_met(name, span, told, |met| rule(met.live()));
    }

    /// Compares one operation, which may take a stale value.
    fn judge_met<T: PartialEq + Debug>(
        &mut self,
        name: &Name,
        span: Span,
        told: &Result<T, Refusal>,
        rule: impl Fn(Met<'_>) -> (Result<T, Refusal>, After),
    ) {
        match name.refusal() {
            Some(refusal) => assert_eq!(told.as_ref().err(), Some(&refusal), "{name:?}"),
            None => self.model.agree(name, span, told, rule),
        }
    }

    /// Compares the results of a batch with the rule for each of its items.
    fn judge_writes<I>(
        &mut self,
        (spelt, names): (Spelt, Vec<Name>),
        asked: Vec<I>,
        (span, told): (Span, Result<MultiCacheResponse, Refusal>),
        rule: impl Fn(&I) -> (Result<CacheStatus, Refusal>, After),
    ) {
        let told = self.items(spelt, names, told.map(|reply| reply.items), |item| &item.key);
        for ((name, told), asked) in told.into_iter().zip(asked) {
            let status = told.status();
            let told = outcome(&told.error, || status);
            if let Err(refusal) = &told {
                assert_eq!(status, CacheStatus::Error);
                *self.figures.refusals.entry(*refusal).or_default() += 1;
            }
            self.judge(&name, span, &told, |_| rule(&asked));
        }
    }

    /// The items of a reply beside the names that were asked, or none where the batch had to be
    /// refused as a whole.
    fn items<I>(
        &mut self,
        spelt: Spelt,
        names: Vec<Name>,
        told: Result<Vec<I>, Refusal>,
        key: impl Fn(&I) -> &String,
    ) -> Vec<(Name, I)> {
        let refusal = if spelt.meant.is_none() {
            Some(Refusal::Namespace)
        } else {
            (names.len() > MAX_BATCH).then_some(Refusal::LongBatch)
        };
        assert_eq!(told.as_ref().err(), refusal.as_ref());
        let items = told.unwrap_or_default();
        assert!(refusal.is_some() || items.len() == names.len());
        self.figures.items += items.len() as u64;
        let items: Vec<_> = names.into_iter().zip(items).collect();
        assert!(items.iter().all(|(name, item)| name.key == *key(item)));
        items
    }

    fn count_reads(&mut self, told: &Result<Option<Bytes>, Refusal>) {
        self.figures.hits += u64::from(matches!(told, Ok(Some(_))));
        self.figures.misses += u64::from(matches!(told, Ok(None)));
    }
}

/// What becomes of a write whose condition holds.
fn write<T>(done: T, value: &Bytes, ttl: i32) -> (Result<T, Refusal>, After) {
    if value.len() > MAX_VALUE {
        (Err(Refusal::LargeValue), After::Same)
    } else {
        (Ok(done), After::Holds(value.clone(), ttl))
    }
}

/// The outcome of an item, by its error.
fn outcome<T>(error: &str, done: impl FnOnce() -> T) -> Result<T, Refusal> {
    if error.is_empty() { Ok(done()) } else { Err(Refusal::of_text(error)) }
}
