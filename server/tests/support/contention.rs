//! Clients that contend for a few keys, by either service, and what each of them saw, key by key.

mod second; // the actions by the second service

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use tiny_cache_proto::cache::{CacheItem, CacheStatus};
use tokio::{
    sync::Barrier,
    task::JoinSet,
    time::{sleep, sleep_until},
};

use self::second::Known;
use super::{
    Cache, Second, Site,
    messages::{items, key, keys, lasting, swap, within},
    register::{Action, Departure, Event, Outcome, Write, explains},
};

/// The connections of one client. Over a second tier there is no second service.
#[derive(Clone)]
pub(crate) struct Contender {
    cache: Cache,
    second: Option<Second>,
}

impl Contender {
    pub(crate) async fn connect(site: &Site) -> Self {
        let second = if site.has_tier { None } else { Some(site.second().await) };
        Self { cache: site.connect().await, second }
    }
}

/// Clients of each history.
pub(crate) const CLIENTS: usize = 8;

/// Keys that the clients of a history share.
const KEYS: usize = 4;

/// Actions of each client at the start, and again around the deadline of what was written then.
/// A key has at most one event of each.
const BURST: usize = 8;

/// The shortest time to live.
const TTL: Duration = Duration::from_secs(1);

/// Before the first deadline can be, so that calls are under way when it comes.
const LEAD: Duration = Duration::from_millis(8);

/// What a wave of histories came to.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) histories: usize,
    pub(crate) events: usize,
    /// Histories of a key that need an entry to have gone before its deadline.
    pub(crate) evicted: usize,
    /// Reads that found nothing where something had been written before.
    pub(crate) misses: usize,
}

impl Judged {
    pub(crate) fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.events += other.events;
        self.evicted += other.evicted;
        self.misses += other.misses;
    }
}

/// Runs a history for each seed, all at once on the same connections, and judges each key.
///
/// # Panics
///
/// Panics on a key whose history has no order.
pub(crate) async fn histories_have_an_order(
    clients: &[Contender],
    seeds: impl IntoIterator<Item = u64>,
    departure: Departure,
) -> Judged {
    let mut running = JoinSet::new();
    for seed in seeds {
        let clients = clients.to_vec();
        running.spawn(async move { (seed, contend(&clients, seed).await) });
    }
    let mut judged = Judged::default();
    for (seed, keys) in running.join_all().await {
        judged.histories += 1;
        for (name, mut history) in keys {
            history.sort_by_key(|event| event.invoked);
            judged.events += history.len();
            judged.misses +=
                history.iter().filter(|event| event.outcome == Outcome::Found(None)).count();
            let by_deadline = explains(&history, Departure::AtDeadline);
            judged.evicted += usize::from(!by_deadline);
            let explained = by_deadline || explains(&history, departure);
            assert!(explained, "seed {seed}, {name}: no order of {history:#?}");
        }
    }
    judged
}

/// What the clients of one history share.
struct Shared {
    seed: u64,
    began: Instant,
    start: Barrier,
    /// Each write has a value of its own.
    values: AtomicU64,
    /// What was last read or written of each key: swaps expect it, and so come true now and then.
    last: [AtomicU64; KEYS],
    known: [Known; KEYS],
}

/// Lets every client do random things to the keys, and returns what was seen of each.
pub(crate) async fn contend(clients: &[Contender], seed: u64) -> BTreeMap<String, Vec<Event>> {
    let shared = Arc::new(Shared {
        seed,
        began: Instant::now(),
        start: Barrier::new(clients.len()),
        values: AtomicU64::new(1),
        last: Default::default(),
        known: Default::default(),
    });
    let mut running = JoinSet::new();
    for (number, contender) in (0..).zip(clients) {
        let random = Pcg64::seed_from_u64(seed * 1000 + number);
        let Contender { cache, second } = contender.clone();
        let client = Client { cache, second, shared: shared.clone(), random };
        running.spawn(client.run());
    }
    let mut histories: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for (key, event) in running.join_all().await.into_iter().flatten() {
        histories.entry(name(seed, key)).or_default().push(event);
    }
    histories
}

fn name(seed: u64, key: usize) -> String {
    format!("{seed} {key}")
}

/// Half of the histories have a namespace of their own.
fn namespace(seed: u64) -> String {
    if seed.is_multiple_of(2) { String::new() } else { format!("history-{seed}") }
}

struct Client {
    cache: Cache,
    second: Option<Second>,
    shared: Arc<Shared>,
    random: Pcg64,
}

impl Client {
    async fn run(mut self) -> Vec<(usize, Event)> {
        let mut seen = Vec::new();
        self.shared.start.wait().await;
        let started = Instant::now();
        for _ in 0..BURST {
            self.act(&mut seen).await;
        }
        sleep_until((started + TTL - LEAD).into()).await;
        for _ in 0..BURST {
            sleep(Duration::from_micros(self.random.random_range(0..4000))).await;
            self.act(&mut seen).await;
        }
        seen
    }

    /// One call, which is an event of each key that it names.
    async fn act(&mut self, seen: &mut Vec<(usize, Event)>) {
        let drops = self.second.is_some() && self.random.random_ratio(1, 25);
        if drops && !namespace(self.shared.seed).is_empty() {
            return self.drop_all(seen).await;
        }
        let actions = self.actions();
        let invoked = self.shared.began.elapsed();
        let outcomes = self.carry_out(&actions).await;
        let returned = self.shared.began.elapsed();
        assert_eq!(outcomes.len(), actions.len());
        for ((key, action), outcome) in actions.into_iter().zip(outcomes) {
            let last = match (action, outcome) {
                (_, Outcome::Found(value)) => value,
                (_, Outcome::Counted(value)) => Some(value),
                (Action::Set(write), _) => Some(write.value),
                _ => None,
            };
            if let Some(value) = last {
                self.shared.last[key].store(value, Ordering::Relaxed);
            }
            seen.push((key, Event { invoked, returned, action, outcome }));
        }
    }

    /// Drops the namespace, which removes each key.
    async fn drop_all(&mut self, seen: &mut Vec<(usize, Event)>) {
        let Some(second) = &mut self.second else { return };
        let invoked = self.shared.began.elapsed();
        second::drop_all(second, &namespace(self.shared.seed)).await;
        let returned = self.shared.began.elapsed();
        let (action, outcome) = (Action::Delete, Outcome::Done);
        seen.extend((0..KEYS).map(|key| (key, Event { invoked, returned, action, outcome })));
    }

    /// What to do next: one action, or the same on each of several keys.
    fn actions(&mut self) -> Vec<(usize, Action)> {
        let first = self.random.random_range(0..KEYS);
        let several = || (0..3).map(move |n| (first + n) % KEYS);
        // What the first service does not have.
        match self.random.random_range(0..20) {
            0..=2 if self.second.is_some() => return vec![(first, Action::GetStale)],
            3 if self.second.is_some() => return vec![(first, self.step())],
            _ => {}
        }
        match self.random.random_range(0..20) {
            0..=2 => vec![(first, Action::Set(self.stale_write()))],
            3..=5 => vec![(first, Action::SetIfAbsent(self.stale_write()))],
            6..=9 => {
                let expected = self.shared.last[first].load(Ordering::Relaxed);
                vec![(first, Action::CompareAndSet(expected, self.stale_write()))]
            }
            10 => vec![(first, Action::Delete)],
            11 => several().map(|key| (key, Action::Set(self.write()))).collect(),
            12 => several().map(|key| (key, Action::Delete)).collect(),
            13..=14 => several().map(|key| (key, Action::Get)).collect(),
            _ => vec![(first, Action::Get)],
        }
    }

    fn write(&mut self) -> Write {
        let value = self.shared.values.fetch_add(1, Ordering::Relaxed);
        Write { value, ttl: self.ttl(), stale: Duration::ZERO }
    }

    fn ttl(&mut self) -> Option<Duration> {
        self.random.random_bool(0.6).then_some(TTL)
    }

    /// A write that may be kept beyond its deadline: for the rest of the history, or so briefly that
    /// this ends within it, too.
    fn stale_write(&mut self) -> Write {
        let write = self.write();
        let stale = match self.random.random_range(0..10) {
            0..=1 => LEAD,
            2..=3 => TTL,
            _ => Duration::ZERO,
        };
        let has_stale = self.second.is_some() && write.ttl.is_some();
        Write { stale: if has_stale { stale } else { Duration::ZERO }, ..write }
    }

    /// A step so large that no two sums are the same.
    fn step(&mut self) -> Action {
        Action::Add(self.random.random_range(1 << 20..1 << 50), self.ttl())
    }

    async fn carry_out(&mut self, actions: &[(usize, Action)]) -> Vec<Outcome> {
        let seed = self.shared.seed;
        let namespace = &namespace(seed);
        let cache = &mut self.cache;
        if let [(only, action)] = actions {
            let name = name(seed, *only);
            let must = is_of_second(*action);
            let by_second = self.second.as_mut().filter(|_| must || self.random.random_bool(0.5));
            return vec![match by_second {
                Some(second) => {
                    let known = &self.shared.known[*only];
                    second::one(second, (namespace, name), *action, known).await
                }
                None => one(cache, (namespace, name), *action).await,
            }];
        }
        let names = keys(actions.iter().map(|(key, _)| name(seed, *key)));
        if matches!(actions[0].1, Action::Get) {
            let got = cache.multi_get(within(namespace, names)).await.unwrap().items.into_iter();
            return got
                .map(|item| Outcome::Found(item.found.then(|| number(&item.value))))
                .collect();
        }
        let written = actions.iter().filter_map(|(key, action)| match action {
            Action::Set(write) => Some(item(name(seed, *key), *write)),
            _ => None,
        });
        let written = items(written);
        let done = match actions[0].1 {
            Action::Set(_) => cache.multi_set(within(namespace, written)).await,
            _ => cache.multi_delete(within(namespace, names)).await,
        };
        let done = done.unwrap().items.into_iter();
        done.map(|item| (item.status(), item.error))
            .inspect(|done| assert_eq!(*done, (CacheStatus::Ok, String::new())))
            .map(|_| Outcome::Done)
            .collect()
    }
}

async fn one(cache: &mut Cache, (namespace, name): (&str, String), action: Action) -> Outcome {
    match action {
        Action::Set(write) => {
            cache.set(within(namespace, item(name, write))).await.unwrap();
            Outcome::Done
        }
        Action::SetIfAbsent(write) => {
            let set = cache.set_if_absent(within(namespace, item(name, write)));
            Outcome::Decided(set.await.unwrap().status())
        }
        Action::CompareAndSet(expected, write) => {
            let mut swap = swap(name, expected.to_string(), write.value.to_string());
            swap.ttl = seconds(write);
            Outcome::Decided(cache.compare_and_set(within(namespace, swap)).await.unwrap().status())
        }
        Action::Delete => {
            cache.delete(within(namespace, key(name))).await.unwrap();
            Outcome::Done
        }
        Action::Get => {
            let found = cache.get(within(namespace, key(name))).await.unwrap();
            Outcome::Found(found.found.then(|| number(&found.value)))
        }
        Action::GetStale | Action::Add(..) => unreachable!("the second service has it"),
    }
}

/// Whether only the second service can do it.
fn is_of_second(action: Action) -> bool {
    match action {
        Action::Set(write) | Action::SetIfAbsent(write) | Action::CompareAndSet(_, write) => {
            !write.stale.is_zero()
        }
        Action::GetStale | Action::Add(..) => true,
        Action::Delete | Action::Get => false,
    }
}

fn item(name: String, write: Write) -> CacheItem {
    lasting(name, write.value.to_string(), seconds(write))
}

fn seconds(write: Write) -> i32 {
    write.ttl.map_or(0, |ttl| ttl.as_secs().try_into().unwrap())
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).unwrap().parse().unwrap()
}
