//! The tier goes away and comes back.

use std::time::{Duration, Instant};

use tonic::Code;

use crate::{
    nodes::{fail_over, figure, get, is_up, node, set, until, warm},
    support::{
        messages::read,
        process::Process,
        redis::{Redis, Watched},
        run,
    },
};

const LAX: &[(&str, &str)] = &[("CACHE_BACKEND_REQUIRED", "false")];

/// Each stays where its server writes it.
const KEEPS: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn nothing_acknowledged_is_lost_and_nothing_lost_is_acknowledged_when_the_tier_restarts() {
    run(async {
        let redis = Redis::start(KEEPS);
        let site = node(&redis.url(), &[]);
        let mut cache = site.connect().await;
        let (mut acknowledged, mut refused, mut redis) = (Vec::new(), 0, Some(redis));
        for n in 0..600 {
            if n == 200 {
                redis.as_mut().unwrap().kill();
            }
            if n == 400 {
                redis = redis.map(Redis::restart);
                until("the node is there again", async || is_up(&site).await).await;
            }
            let name = format!("k{n}");
            match set(&mut cache, &name, &name).await {
                Code::Ok => acknowledged.push(name),
                Code::Unavailable => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(refused, 200);
        for name in acknowledged {
            assert_eq!(get(&mut cache, &name).await.as_deref(), Some(&*name));
        }
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn without_the_tier_reads_are_misses_and_a_required_tier_makes_the_node_not_ready() {
    run(async {
        let redis = Redis::start(&[]);
        let mut redis = redis;
        let (strict, lax) = (node(&redis.url(), &[]), node(&redis.url(), LAX));
        until("the lax one is up", async || is_up(&lax).await).await;
        let (mut a, mut b) = (strict.connect().await, lax.connect().await);
        assert_eq!(set(&mut a, "k", "v").await, Code::Ok);
        warm(&strict, &mut a, "k").await;
        warm(&lax, &mut b, "k").await;
        assert_eq!(strict.http("/ready").await.status, 200);
        redis.kill();
        for (site, cache, status) in [(&strict, &mut a, 503), (&lax, &mut b, 200)] {
            until("it is noticed", async || !is_up(site).await).await;
            assert_eq!(get(cache, "k").await, None);
            assert_eq!(set(cache, "k", "v").await, Code::Unavailable);
            assert_eq!(site.http("/ready").await.status, status);
            assert_eq!(site.http("/live").await.status, 200);
        }
        let _redis = redis.restart();
        for site in [&strict, &lax] {
            until("it is there again", async || is_up(site).await).await;
            assert_eq!(site.http("/ready").await.status, 200);
        }
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn near_values_are_given_for_the_stale_seconds_and_no_longer() {
    run(async {
        let mut redis = Redis::start(&[]);
        let site = node(&redis.url(), &[("CACHE_BACKEND_STALE_SECONDS", "2")]);
        let mut cache = site.connect().await;
        assert_eq!(set(&mut cache, "k", "v").await, Code::Ok);
        warm(&site, &mut cache, "k").await;
        let killed = Instant::now();
        redis.kill();
        until("it is noticed", async || !is_up(&site).await).await;
        assert_eq!(get(&mut cache, "k").await.as_deref(), Some("v"));
        assert!(figure(&site, "tiny_cache_backend_stale_hits_total").await > 0.0);
        assert_eq!(set(&mut cache, "other", "v").await, Code::Unavailable);
        until("the time is over", async || get(&mut cache, "k").await.is_none()).await;
        let stale = killed.elapsed();
        assert!(stale > Duration::from_secs(2) && stale < Duration::from_secs(5), "{stale:?}");

        // What is there again may have changed.
        let redis = redis.restart();
        redis.ask(&["SET", "tiny-cache::k", "new"]);
        until("it is there again", async || is_up(&site).await).await;
        assert_eq!(get(&mut cache, "k").await.as_deref(), Some("new"));
    });
}

/// Nothing says that it is gone: the connections stay, and no answer comes.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_tier_that_hangs_holds_no_call_longer_than_its_timeout_and_most_not_at_all() {
    run(async {
        let redis = Redis::start(&[]);
        let site = node(&redis.url(), &[("CACHE_BACKEND_TIMEOUT_SECONDS", "0.3")]);
        let mut cache = site.connect().await;
        assert_eq!(set(&mut cache, "k", "v").await, Code::Ok);
        warm(&site, &mut cache, "k").await;
        redis.freeze();
        let begun = Instant::now();
        until("near values are forgotten", async || get(&mut cache, "k").await.is_none()).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        let (mut took, begun) = (Vec::new(), Instant::now());
        while begun.elapsed() < Duration::from_secs(4) {
            let call = Instant::now();
            assert_eq!(set(&mut cache, "other", "v").await, Code::Unavailable);
            took.push(call.elapsed());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        took.sort();
        let longest = took[took.len() - 1];
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        let middle = took[took.len() / 2];
        assert!(middle < Duration::from_millis(50), "{middle:?} of {}", took.len());
        assert!(figure(&site, "tiny_cache_backend_not_sent_total").await > 0.0);
        redis.thaw();
        until("it is there again", async || {
            is_up(&site).await && set(&mut cache, "k", "w").await == Code::Ok
        })
        .await;
        assert_eq!(get(&mut cache, "k").await.as_deref(), Some("w"));
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn sentinels_lead_to_the_server_and_after_its_end_to_its_replica() {
    run(async {
        let mut watched = Watched::start();
        let site = node(&watched.url(), &[]);
        let mut cache = fail_over(&mut watched, &site).await;
        watched.replica.ask(&["SET", "tiny-cache::k", "x"]);
        until("it tells of changes", async || get(&mut cache, "k").await.as_deref() == Some("x"))
            .await;
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn the_second_service_says_that_it_is_not_served_over_a_tier() {
    run(async {
        let redis = Redis::start(&[]);
        let site = node(&redis.url(), &[]);
        let mut cache = site.connect().await;
        until("the node is up", async || is_up(&site).await).await;
        assert_eq!(set(&mut cache, "k", "v").await, Code::Ok);
        let refused = site.second().await.read(read("k")).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
        assert!(refused.message().contains("CACHE_BACKEND"), "{refused:?}");
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_tier_that_is_no_cluster_or_speaks_no_tls_is_reported() {
    let redis = Redis::start(&[]);
    for scheme in ["redis-cluster", "rediss"] {
        let url = format!("{scheme}://127.0.0.1:{}", redis.port());
        let mut node = Process::start(&[("CACHE_BACKEND", "redis"), ("CACHE_BACKEND_URL", &url)]);
        node.logged_until("the backend is away; reads are misses, writes are refused");
    }
}
