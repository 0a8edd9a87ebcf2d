//! What others change is seen by every node, and what may have been missed is forgotten.

use std::time::{Duration, Instant};

use tonic::Code;

use crate::{
    nodes::{figure, get, node, set, until, warm},
    support::{messages::keys, redis::Redis, run},
};

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_write_of_another_node_or_client_replaces_what_is_near() {
    run(async {
        let redis = Redis::start(&[]);
        let (one, other) = (node(&redis.url(), &[]), node(&redis.url(), &[]));
        let (mut near, mut writer) = (one.connect().await, other.connect().await);
        assert_eq!(set(&mut writer, "k", "0").await, Code::Ok);
        for round in 1..50 {
            warm(&one, &mut near, "k").await;
            let value = round.to_string();
            if round % 2 == 0 {
                redis.ask(&["SET", "tiny-cache::k", &value]);
            } else {
                assert_eq!(set(&mut writer, "k", &value).await, Code::Ok);
            }
            until("the change is seen", async || get(&mut near, "k").await == Some(value.clone()))
                .await;
        }
        redis.ask(&["DEL", "tiny-cache::k"]);
        until("it is gone", async || get(&mut near, "k").await.is_none()).await;
    });
}

/// What is near was looked up on the short way and again on the long one, and so had been read twice:
/// enough to stay when the window ends.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_batch_that_is_partly_near_uses_what_is_near_once() {
    run(async {
        let redis = Redis::start(&[]);
        let site = node(&redis.url(), &[]);
        let mut cache = site.connect().await;
        assert_eq!(set(&mut cache, "near", "v").await, Code::Ok);
        warm(&site, &mut cache, "near").await;
        for (asked, uses) in
            [(&["near", "missing"][..], 1.0), (&["near"], 1.0), (&["missing"], 0.0)]
        {
            let before = figure(&site, "tiny_cache_window_hits_total").await;
            cache.multi_get(keys(asked.iter().copied())).await.unwrap();
            let used = figure(&site, "tiny_cache_window_hits_total").await - before;
            assert!((used - uses).abs() < 0.5, "{asked:?}: used {used} times");
        }
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn an_entry_lives_near_no_longer_than_in_the_tier() {
    run(async {
        let redis = Redis::start(&[]);
        let site = node(&redis.url(), &[]);
        let mut cache = site.connect().await;
        let begun = Instant::now();
        redis.ask(&["SET", "tiny-cache::k", "v", "PX", "600"]);
        assert_eq!(get(&mut cache, "k").await.as_deref(), Some("v"));
        until("it is gone", async || get(&mut cache, "k").await.is_none()).await;
        let lived = begun.elapsed();
        assert!(lived > Duration::from_millis(400), "{lived:?}");
        assert!(redis.ask(&["EXISTS", "tiny-cache::k"]).contains(":0") || lived.as_millis() < 700);
    });
}

/// The push that tells of it names no key.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn flushall_empties_every_node() {
    run(async {
        let redis = Redis::start(&[]);
        let (one, other) = (node(&redis.url(), &[]), node(&redis.url(), &[]));
        let (mut a, mut b) = (one.connect().await, other.connect().await);
        for round in 0..10 {
            assert_eq!(set(&mut a, "k", &round.to_string()).await, Code::Ok);
            warm(&one, &mut a, "k").await;
            warm(&other, &mut b, "k").await;
            redis.ask(&["FLUSHALL"]);
            until("one has forgotten it", async || get(&mut a, "k").await.is_none()).await;
            until("the other too", async || get(&mut b, "k").await.is_none()).await;
        }
    });
}

/// What changes while nobody tells is never told.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_cut_tracking_connection_empties_the_near_part() {
    run(async {
        let redis = Redis::start(&[]);
        let site = node(&redis.url(), &[]);
        let mut cache = site.connect().await;
        for round in 0..10 {
            let (old, new) = (format!("old {round}"), format!("new {round}"));
            assert_eq!(set(&mut cache, "k", &old).await, Code::Ok);
            warm(&site, &mut cache, "k").await;
            let flushes = figure(&site, "tiny_cache_backend_flushes_total").await;
            assert_eq!(redis.cut_tracking(), 1);
            redis.ask(&["SET", "tiny-cache::k", &new]);
            until("it was flushed", async || {
                figure(&site, "tiny_cache_backend_flushes_total").await > flushes
            })
            .await;
            assert_eq!(get(&mut cache, "k").await, Some(new));
            until("it is listened to again", async || crate::nodes::is_up(&site).await).await;
        }
    });
}

/// A node that reads while another writes sees no value older than one that it saw before, and the
/// last one soon.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn readers_of_another_node_never_go_back() {
    run(async {
        let redis = Redis::start(&[]);
        let (one, other) = (node(&redis.url(), &[]), node(&redis.url(), &[]));
        let mut writer = one.connect().await;
        assert_eq!(set(&mut writer, "n", "0").await, Code::Ok);
        let mut readers = Vec::new();
        for _ in 0..4 {
            let mut cache = other.connect().await;
            readers.push(tokio::spawn(async move {
                let mut last = 0;
                while last < 2000 {
                    let seen = get(&mut cache, "n").await.unwrap().parse().unwrap();
                    assert!(seen >= last, "{seen} after {last}");
                    last = seen;
                }
            }));
        }
        for n in 1..=2000 {
            assert_eq!(set(&mut writer, "n", &n.to_string()).await, Code::Ok);
            assert_eq!(get(&mut writer, "n").await, Some(n.to_string()), "its own write");
        }
        for reader in readers {
            reader.await.unwrap();
        }
    });
}

/// The promise for quiet times: no stale read later than 10 ms after the acknowledgement, at p99.9.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_write_is_seen_through_the_other_node_soon_after_it_was_acknowledged() {
    run(async {
        const WRITES: u32 = 3000;
        let redis = Redis::start(&[]);
        let (one, other) = (node(&redis.url(), &[]), node(&redis.url(), &[]));
        let (mut writer, mut reader) = (one.connect().await, other.connect().await);
        assert_eq!(set(&mut writer, "k", "0").await, Code::Ok);
        let (mut lags, mut stale) = (Vec::new(), 0);
        for n in 1..=WRITES {
            // Near, so that a write must be told.
            assert!(get(&mut reader, "k").await.is_some());
            let value = n.to_string();
            assert_eq!(set(&mut writer, "k", &value).await, Code::Ok);
            let acknowledged = Instant::now();
            let mut old_at = Duration::ZERO;
            loop {
                let asked = acknowledged.elapsed();
                if get(&mut reader, "k").await.as_deref() == Some(&*value) {
                    break;
                }
                stale += 1;
                old_at = asked;
            }
            lags.push(old_at);
        }
        lags.sort();
        let [median, p999] = [0.5, 0.999].map(|part| lags[(f64::from(WRITES) * part) as usize]);
        eprintln!(
            "of {WRITES} writes, stale reads: {stale}; the last stale one began, after the \
             acknowledgement: median {median:?}, p99.9 {p999:?}, at most {:?}",
            lags[lags.len() - 1]
        );
        assert!(median < Duration::from_millis(10), "{median:?}");
        assert!(p999 < Duration::from_millis(10), "{p999:?}");
    });
}
