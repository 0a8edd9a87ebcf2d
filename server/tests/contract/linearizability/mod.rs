//! One key under contention from 8 connections: every write of a key must take
//! effect at one moment between its request and its reply, whatever shard,
//! worker or lock it goes through.

mod judgement;

use tiny_cache_proto::cache::{ConditionalCacheStatus, Empty};
use tokio::task::JoinSet;

use crate::support::{
    Cache, Deployment, Site,
    contention::{CLIENTS, Contender, Judged, histories_have_an_order},
    messages::{item, key, swap},
    register::Departure,
};

crate::rows![
    a_counter_advanced_by_compare_and_set_loses_no_step,
    of_racing_set_if_absent_exactly_one_wins,
    of_racing_compare_and_set_exactly_one_wins,
    every_history_of_a_contended_key_has_an_order,
];

crate::store_rows![every_history_on_a_full_cache_has_an_order];

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
    let site = on.start();
    let judged = of_clients(&site, Departure::AtDeadline).await;
    // Otherwise nothing of what was written was seen to expire.
    assert!(judged.misses > 0, "{judged:?}");
    let stats = site.connect().await.stats(Empty {}).await.unwrap();
    assert_eq!(stats.evictions, 0);
}

async fn every_history_on_a_full_cache_has_an_order(on: Deployment) {
    let mut evicted = 0;
    for policy in ["window", "tinylfu", "lru"] {
        let vars = [("CACHE_EVICTION_POLICY", policy), ("CACHE_MAX_ITEMS", "48")];
        let site = on.start_with(&vars);
        evicted += of_clients(&site, Departure::AnyTime).await.evicted;
    }
    // Of one policy alone it may be chance: what TinyLFU evicts, hardly anybody asks for.
    assert!(evicted > 0, "nothing was evicted that was missed");
}

/// Runs some histories, and judges them.
async fn of_clients(site: &Site, departure: Departure) -> Judged {
    const HISTORIES: u64 = 16;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Contender::connect(site).await);
    }
    histories_have_an_order(&clients, 0..HISTORIES, departure).await
}
