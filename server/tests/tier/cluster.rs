//! A cluster of three primaries and three replicas, and what happens to it.

use std::{collections::HashMap, time::Duration};

use tonic::Code;

use crate::{
    nodes::{figure, get, is_up, node, set, until, warm},
    support::{Cache, Site, redis::Cluster, run},
};

const KEYS: usize = 60;

/// Two nodes, each with all keys near.
async fn two_nodes(cluster: &Cluster) -> ([Site; 2], [Cache; 2]) {
    let sites = [node(&cluster.url(), &[]), node(&cluster.url(), &[])];
    let mut caches = [sites[0].connect().await, sites[1].connect().await];
    for n in 0..KEYS {
        assert_eq!(set(&mut caches[0], &format!("k{n}"), "0").await, Code::Ok);
    }
    for (site, cache) in sites.iter().zip(&mut caches) {
        for n in 0..KEYS {
            warm(site, cache, &format!("k{n}")).await;
        }
    }
    (sites, caches)
}

/// Each key is written through one node, and read through the other until that has it.
async fn each_write_is_seen(caches: &mut [Cache; 2], round: &str) {
    let [writer, reader] = caches;
    for n in 0..KEYS {
        let name = format!("k{n}");
        until("it is written", async || set(writer, &name, round).await == Code::Ok).await;
        until("it is seen", async || get(reader, &name).await.as_deref() == Some(round)).await;
    }
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_primary_that_is_killed_costs_its_keys_until_the_failover_and_leaves_none_stale() {
    run(async {
        let mut cluster = Cluster::start();
        let (sites, mut caches) = two_nodes(&cluster).await;
        // What was acknowledged must have reached the replicas.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let victim = cluster.primaries()[0];
        cluster.node_mut(victim).kill();
        until("it is noticed", async || !is_up(&sites[0]).await && !is_up(&sites[1]).await).await;
        cluster.wait_until("a replica has taken over", |cluster| cluster.primaries().len() == 3);
        for site in &sites {
            until("all primaries tell", async || is_up(site).await).await;
        }
        for n in 0..KEYS {
            let name = format!("k{n}");
            until("it is found", async || get(&mut caches[1], &name).await.is_some()).await;
            assert_eq!(get(&mut caches[1], &name).await.as_deref(), Some("0"));
        }
        each_write_is_seen(&mut caches, "after").await;
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_planned_failover_leaves_nothing_stale() {
    run(async {
        let cluster = Cluster::start();
        let (_sites, mut caches) = two_nodes(&cluster).await;
        let before = cluster.primaries();
        let replica = (0..cluster.nodes().len()).find(|one| !before.contains(one)).unwrap();
        cluster.nodes()[replica].ask(&["CLUSTER", "FAILOVER"]);
        cluster.wait_until("it is a primary", |cluster| cluster.primaries().contains(&replica));
        for round in ["1", "2", "3"] {
            each_write_is_seen(&mut caches, round).await;
        }
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn slots_that_move_take_their_keys_along_and_leave_nothing_stale() {
    run(async {
        let cluster = Cluster::start();
        let (_sites, mut caches) = two_nodes(&cluster).await;
        let [from, to, ..] = cluster.primaries()[..] else { panic!("three primaries") };
        let mut mover = cluster.mover(from, to, 1500);
        let moving = tokio::task::spawn_blocking(move || mover.output().unwrap());
        let mut rounds = 0;
        while !moving.is_finished() {
            rounds += 1;
            each_write_is_seen(&mut caches, &format!("during {rounds}")).await;
        }
        let moved = moving.await.unwrap();
        assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stdout));
        each_write_is_seen(&mut caches, "after").await;
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn each_primary_tells_and_what_one_does_not_tell_is_forgotten() {
    run(async {
        let cluster = Cluster::start();
        let (sites, mut caches) = two_nodes(&cluster).await;
        for index in cluster.primaries() {
            let flushes: Vec<f64> =
                [figure(&sites[0], FLUSHES).await, figure(&sites[1], FLUSHES).await].into();
            assert_eq!(cluster.nodes()[index].cut_tracking(), 2);
            for (site, before) in sites.iter().zip(flushes) {
                until("it was flushed", async || figure(site, FLUSHES).await > before).await;
                until("it is listened to again", async || is_up(site).await).await;
            }
        }
        each_write_is_seen(&mut caches, "after").await;
        let mut seen = HashMap::new();
        for n in 0..KEYS {
            *seen.entry(get(&mut caches[0], &format!("k{n}")).await).or_insert(0) += 1;
        }
        assert_eq!(seen, HashMap::from([(Some("after".to_owned()), KEYS)]));
    });
}

const FLUSHES: &str = "tiny_cache_backend_flushes_total";
