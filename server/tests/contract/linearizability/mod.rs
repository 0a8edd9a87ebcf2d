//! One key under contention from 8 connections: every write of a key must take
//! effect at one moment between its request and its reply, whatever shard,
//! worker or lock it goes through.

mod history;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tiny_cache_proto::cache::ConditionalCacheStatus;
use tokio::{sync::Barrier, task::JoinSet};

use self::history::{Action, Event, Outcome, explains};
use crate::support::{
    Cache, Deployment,
    messages::{item, key, swap},
};

const CLIENTS: usize = 8;

crate::rows![
    a_counter_advanced_by_compare_and_set_loses_no_step,
    of_racing_set_if_absent_exactly_one_wins,
    of_racing_compare_and_set_exactly_one_wins,
    every_history_of_a_contended_key_has_an_order,
];

async fn a_counter_advanced_by_compare_and_set_loses_no_step(on: Deployment) {
    const STEPS: u64 = 120;
    let site = on.start();
    let mut first = site.connect().await;
    first.set(item("counter", "0")).await.unwrap();

    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut cache = site.connect().await;
        clients.spawn(async move {
            for _ in 0..STEPS {
                step(&mut cache).await;
            }
        });
    }
    clients.join_all().await;

    let found = first.get(key("counter")).await.unwrap();
    let expected = (CLIENTS as u64 * STEPS).to_string();
    assert_eq!(found.value, expected);
}

/// Adds one to the counter, as often as it takes.
async fn step(cache: &mut Cache) {
    loop {
        let old = cache.get(key("counter")).await.unwrap().value;
        let count: u64 = std::str::from_utf8(&old).unwrap().parse().unwrap();
        let swap = swap("counter", old, (count + 1).to_string());
        let swapped = cache.compare_and_set(swap).await.unwrap();
        match swapped.status() {
            ConditionalCacheStatus::Stored => return,
            ConditionalCacheStatus::Mismatch => {}
            other => panic!("the counter is there all the time, and got {other:?}"),
        }
    }
}

async fn of_racing_set_if_absent_exactly_one_wins(on: Deployment) {
    let race = async |cache: &mut Cache, name: &str, client: usize| {
        let set = cache.set_if_absent(item(name, client.to_string()));
        set.await.unwrap().status()
    };
    exactly_one_wins(on, async |_: &mut Cache, _: &str| {}, race).await;
}

async fn of_racing_compare_and_set_exactly_one_wins(on: Deployment) {
    let prepare = async |cache: &mut Cache, name: &str| {
        cache.set(item(name, "start")).await.unwrap();
    };
    let race = async |cache: &mut Cache, name: &str, client: usize| {
        let swap = cache.compare_and_set(swap(name, "start", client.to_string()));
        swap.await.unwrap().status()
    };
    exactly_one_wins(on, prepare, race).await;
}

/// Runs rounds in which 8 clients race for a key, and checks that one won and
/// that its value stays.
async fn exactly_one_wins(
    on: Deployment,
    prepare: impl AsyncFn(&mut Cache, &str),
    race: impl AsyncFn(&mut Cache, &str, usize) -> ConditionalCacheStatus,
) {
    const ROUNDS: usize = 150;
    let site = on.start();
    let mut caches = Vec::new();
    for _ in 0..CLIENTS {
        caches.push(site.connect().await);
    }
    let mut judge = site.connect().await;
    for round in 0..ROUNDS {
        let name = format!("race {round}");
        prepare(&mut judge, &name).await;
        let racing =
            caches.iter_mut().enumerate().map(|(client, cache)| race(cache, &name, client));
        let statuses = futures::future::join_all(racing).await;
        let winners: Vec<usize> = (0..CLIENTS)
            .filter(|client| statuses[*client] == ConditionalCacheStatus::Stored)
            .collect();
        assert_eq!(winners.len(), 1, "round {round}: {statuses:?}");
        let found = judge.get(key(&name)).await.unwrap();
        assert_eq!(found.value, winners[0].to_string(), "round {round}");
    }
}

async fn every_history_of_a_contended_key_has_an_order(on: Deployment) {
    const ROUNDS: usize = 50;
    let site = on.start();
    let mut caches = Vec::new();
    for _ in 0..CLIENTS {
        caches.push(site.connect().await);
    }
    for round in 0..ROUNDS {
        let seed = round as u64;
        for (name, history) in contend(&caches, seed).await {
            assert!(explains(&history), "seed {seed}, {name}: {history:#?}");
        }
    }
}

/// Lets every client do random things to three keys, and returns what
/// was seen of each key.
async fn contend(caches: &[Cache], seed: u64) -> BTreeMap<String, Vec<Event>> {
    const ACTIONS: u64 = 24;
    let start = Arc::new(Barrier::new(caches.len()));
    // A clock that all clients share: only the order of its ticks is used.
    let clock = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for (client, cache) in caches.iter().enumerate() {
        let (mut cache, start, clock) = (cache.clone(), start.clone(), clock.clone());
        let mut dice = Dice(seed * 1000 + client as u64);
        clients.spawn(async move {
            let mut seen = Vec::new();
            let mut last = 0;
            start.wait().await;
            for _ in 0..ACTIONS {
                let name = format!("{seed} {}", dice.roll(3));
                // Few values, so that comparisons come true now and then.
                let action = match dice.roll(10) {
                    0 | 1 => Action::Set(dice.roll(4)),
                    2 | 3 => Action::SetIfAbsent(dice.roll(4)),
                    4..7 => Action::CompareAndSet(last, dice.roll(4)),
                    7 => Action::Delete,
                    _ => Action::Get,
                };
                let invoked = clock.fetch_add(1, Ordering::SeqCst);
                let outcome = act(&mut cache, &name, action).await;
                let returned = clock.fetch_add(1, Ordering::SeqCst);
                if let Outcome::Found(Some(value)) = outcome {
                    last = value;
                }
                let event = Event { invoked, returned, action, outcome };
                seen.push((name, event));
            }
            seen
        });
    }
    let mut histories: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for (name, event) in clients.join_all().await.into_iter().flatten() {
        histories.entry(name).or_default().push(event);
    }
    histories
}

async fn act(cache: &mut Cache, name: &str, action: Action) -> Outcome {
    match action {
        Action::Set(value) => {
            cache.set(item(name, value.to_string())).await.unwrap();
            Outcome::Done
        }
        Action::SetIfAbsent(value) => {
            let set = cache.set_if_absent(item(name, value.to_string()));
            Outcome::Decided(set.await.unwrap().status())
        }
        Action::CompareAndSet(expected, value) => {
            let swap = swap(name, expected.to_string(), value.to_string());
            let swapped = cache.compare_and_set(swap).await.unwrap();
            Outcome::Decided(swapped.status())
        }
        Action::Delete => {
            cache.delete(key(name)).await.unwrap();
            Outcome::Done
        }
        Action::Get => {
            let found = cache.get(key(name)).await.unwrap();
            let value = || std::str::from_utf8(&found.value).unwrap().parse().unwrap();
            Outcome::Found(found.found.then(value))
        }
    }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}
