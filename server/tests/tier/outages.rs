//! Every RPC, round after round, while the tier is there, is not, and is there again. A plain model
//! knows which values a key may have: a write that failed may be carried out only if it says so.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tiny_cache_proto::{
    cache::{CompareAndSetRequest, ConditionalCacheStatus, Empty, MultiCacheResponse},
    v1::{
        AddRequest, BatchRequest, DescribeRequest, HotKeysRequest, InvalidateRequest, ReadRequest,
        ReleaseRequest, RemoveRequest, ScanRequest, WhatIfRequest, WriteRequest,
    },
};
use tonic::{Code, Status};

use crate::{
    nodes::{figure, is_up, node, until},
    support::{
        Cache, Second, Site,
        messages::{item, items, key, keys},
        redis::{Cluster, Redis},
        run,
    },
};

/// Keys, of which each round uses all in several ways. Those of a cluster are on all its primaries.
const KEYS: usize = 12;

/// What docs/tier.md promises for the time from the tier's first answer on.
const RECOVERY: Duration = Duration::from_secs(2);

const TIMEOUT: &[(&str, &str)] = &[("CACHE_BACKEND_TIMEOUT_SECONDS", "0.3")];

/// Each write stays where its server writes it, so that a kill loses none.
const KEEPS: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

/// What may be expected of calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    There,
    Away,
    /// It is noticed at any moment.
    Leaves,
}

/// The caller, and all that it knows.
struct Caller {
    cache: Cache,
    second: Second,
    /// The values that a key may have; what was never written is not there.
    may_have: HashMap<String, Vec<Option<String>>>,
    tier: Tier,
    round: usize,
    /// Writes that were done, refused, and left open.
    writes: [usize; 3],
}

impl Caller {
    async fn of(site: &Site) -> Self {
        until("the node is up", async || is_up(site).await).await;
        let (cache, second) = (site.connect().await, site.second().await);
        let may_have = (0..KEYS).map(|n| (format!("k{n}"), vec![None])).collect();
        Self { cache, second, may_have, tier: Tier::There, round: 0, writes: [0; 3] }
    }

    /// Runs every RPC of both services.
    async fn round(&mut self) {
        self.round += 1;
        let round = self.round;
        let name = |step: usize| format!("k{}", (round + step) % KEYS);
        self.get(&name(0)).await;
        self.set(&name(1), &format!("set {round}")).await;
        self.get(&name(1)).await;
        self.set_if_absent(&name(2), &format!("absent {round}")).await;
        self.compare_and_set(&name(3), &format!("swap {round}")).await;
        let delete = self.cache.delete(key(name(4))).await;
        self.wrote(&name(4), None, delete.map(|_| ()));
        self.set_if_absent(&name(4), &format!("anew {round}")).await;
        let names = [name(5), name(6), name(7)];
        let (value, each) = (format!("many {round}"), names.iter().cloned());
        let sent = items(each.map(|name| item(name, value.clone())));
        let set = self.cache.multi_set(sent).await;
        self.wrote_many(&names, Some(&value), set);
        let names = [name(7), name(8)];
        let deleted = self.cache.multi_delete(keys(names.clone())).await;
        self.wrote_many(&names, None, deleted);
        self.multi_get().await;
        self.cache.stats(Empty {}).await.unwrap();
        self.second_service().await;
    }

    async fn get(&mut self, name: &str) {
        // Never an error, whatever the tier does.
        let found = self.cache.get(key(name)).await.unwrap();
        self.read(name, found.found.then_some(&found.value[..]));
    }

    async fn multi_get(&mut self) {
        let names: Vec<_> = (0..KEYS).map(|n| format!("k{n}")).collect();
        let found = self.cache.multi_get(keys(names.clone())).await.unwrap();
        assert_eq!(found.items.len(), KEYS);
        for (name, found) in names.iter().zip(found.items) {
            assert_eq!((&found.key, &*found.error), (name, ""));
            self.read(name, found.found.then_some(&found.value[..]));
        }
    }

    async fn set(&mut self, name: &str, value: &str) {
        let set = self.cache.set(item(name, value.to_owned())).await;
        self.wrote(name, Some(value), set.map(|_| ()));
    }

    async fn set_if_absent(&mut self, name: &str, value: &str) {
        let answer = self.cache.set_if_absent(item(name, value.to_owned())).await;
        let answer = answer.map(|answer| answer.status());
        self.concluded(name, value, answer, |before| match before {
            None => ConditionalCacheStatus::Stored,
            Some(_) => ConditionalCacheStatus::Exists,
        });
    }

    async fn compare_and_set(&mut self, name: &str, value: &str) {
        let expected = self.may_have[name][0].clone().unwrap_or_default();
        let request = CompareAndSetRequest {
            key: name.to_owned(),
            expected_value: expected.clone().into(),
            value: value.to_owned().into(),
            ttl: 0,
        };
        let answer = self.cache.compare_and_set(request).await.map(|answer| answer.status());
        self.concluded(name, value, answer, |before| match before {
            None => ConditionalCacheStatus::NotFound,
            Some(before) if *before == expected => ConditionalCacheStatus::Stored,
            Some(_) => ConditionalCacheStatus::Mismatch,
        });
    }

    /// Its versions and leases are of one node, whether or not the tier is there.
    async fn second_service(&mut self) {
        let second = &mut self.second;
        let refused = [
            second.read(ReadRequest::default()).await.err(),
            second.write(WriteRequest::default()).await.err(),
            second.remove(RemoveRequest::default()).await.err(),
            second.add(AddRequest::default()).await.err(),
            second.release(ReleaseRequest::default()).await.err(),
            second.invalidate(InvalidateRequest::default()).await.err(),
            second.batch(BatchRequest::default()).await.err(),
            second.scan(ScanRequest::default()).await.err(),
            second.describe(DescribeRequest::default()).await.err(),
            second.hot_keys(HotKeysRequest::default()).await.err(),
            second.what_if(WhatIfRequest::default()).await.err(),
        ];
        for status in refused {
            assert_eq!(status.unwrap().code(), Code::Unimplemented);
        }
    }

    /// A value must be one that the key may have. So must a miss, while the tier is there.
    fn read(&mut self, name: &str, found: Option<&[u8]>) {
        let found = found.map(|found| String::from_utf8(found.to_vec()).unwrap());
        if found.is_none() && self.tier != Tier::There {
            return;
        }
        let may_have = &self.may_have[name];
        assert!(may_have.contains(&found), "{name} is {found:?}, and may be {may_have:?}");
        // While it is not, a write that is open may be carried out yet.
        if self.tier == Tier::There {
            self.may_have.insert(name.to_owned(), vec![found]);
        }
    }

    /// A write that depends on nothing.
    fn wrote(&mut self, name: &str, value: Option<&str>, answer: Result<(), Status>) {
        let value = value.map(str::to_owned);
        match answer {
            Ok(()) => {
                assert!(self.tier != Tier::Away, "acknowledged by nobody");
                self.writes[0] += 1;
                self.may_have.insert(name.to_owned(), vec![value]);
            }
            Err(status) => self.failed(name, value, (status.code(), status.message())),
        }
    }

    fn wrote_many(
        &mut self,
        names: &[String],
        value: Option<&str>,
        answer: Result<MultiCacheResponse, Status>,
    ) {
        let answer = answer.unwrap();
        assert_eq!(answer.items.len(), names.len());
        for (name, result) in names.iter().zip(answer.items) {
            let error = Some(result.error).filter(|error| !error.is_empty());
            self.wrote(name, value, error.map_or(Ok(()), |text| Err(Status::unavailable(text))));
        }
    }

    /// A write that depends on what was there before.
    fn concluded(
        &mut self,
        name: &str,
        value: &str,
        answer: Result<ConditionalCacheStatus, Status>,
        rule: impl Fn(Option<&String>) -> ConditionalCacheStatus,
    ) {
        let status = match answer {
            Ok(status) => status,
            Err(status) => {
                let failed = (status.code(), status.message());
                return self.failed(name, Some(value.to_owned()), failed);
            }
        };
        assert!(self.tier != Tier::Away, "answered by nobody");
        let may_have = self.may_have.get_mut(name).unwrap();
        may_have.retain(|before| rule(before.as_ref()) == status);
        assert!(!may_have.is_empty(), "{name}: nothing that it may have leads to {status:?}");
        if status == ConditionalCacheStatus::Stored {
            *may_have = vec![Some(value.to_owned())];
        }
        self.writes[0] += 1;
    }

    /// Every failure is UNAVAILABLE, and says whether the write may have been carried out.
    fn failed(&mut self, name: &str, value: Option<String>, (code, message): (Code, &str)) {
        assert_eq!(code, Code::Unavailable, "{message}");
        assert!(self.tier != Tier::There, "{name}: {message}");
        if message.contains("may have been carried out") {
            self.may_have.get_mut(name).unwrap().push(value);
            self.writes[2] += 1;
        } else {
            assert!(message.starts_with("The backend cannot be reached"), "{message}");
            self.writes[1] += 1;
        }
    }

    async fn rounds_for(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.round().await;
        }
    }

    /// Runs rounds through an outage, and checks that the node is itself again soon after it.
    async fn through<T>(&mut self, site: &Site, gone: T, back: impl FnOnce(T)) {
        self.tier = Tier::Leaves;
        let begun = Instant::now();
        while is_up(site).await {
            self.round().await;
            assert!(begun.elapsed() < Duration::from_secs(20), "it is never noticed");
        }
        self.tier = Tier::Away;
        self.rounds_for(Duration::from_secs(1)).await;
        self.tier = Tier::Leaves;
        back(gone);
        let begun = Instant::now();
        while !is_up(site).await || figure(site, OPEN).await > 0.0 {
            self.round().await;
            assert!(begun.elapsed() < RECOVERY, "it is not there again after {RECOVERY:?}");
        }
        self.tier = Tier::There;
        self.rounds_for(Duration::from_millis(500)).await;
    }
}

const OPEN: &str = "tiny_cache_backend_breaker_open_ratio";

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn every_rpc_is_as_documented_through_a_restart_of_the_tier() {
    run(async {
        let mut redis = Redis::start(KEEPS);
        let site = node(&redis.url(), TIMEOUT);
        let mut caller = Caller::of(&site).await;
        caller.rounds_for(Duration::from_millis(500)).await;
        for _ in 0..2 {
            redis.kill();
            let mut restarted = None;
            caller.through(&site, redis, |redis| restarted = Some(redis.restart())).await;
            redis = restarted.unwrap();
        }
        assert!(caller.writes[0] > 100 && caller.writes[1] > 100, "{:?}", caller.writes);
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn every_rpc_is_as_documented_while_the_tier_hangs_and_after() {
    run(async {
        let redis = Redis::start(KEEPS);
        let site = node(&redis.url(), TIMEOUT);
        let mut caller = Caller::of(&site).await;
        caller.rounds_for(Duration::from_millis(500)).await;
        for _ in 0..2 {
            redis.freeze();
            caller.through(&site, &redis, Redis::thaw).await;
        }
        assert!(caller.writes.iter().all(|count| *count > 0), "{:?}", caller.writes);
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn every_rpc_is_as_documented_while_all_of_a_cluster_hangs_and_after() {
    run(async {
        let cluster = Cluster::start();
        let site = node(&cluster.url(), TIMEOUT);
        let mut caller = Caller::of(&site).await;
        caller.rounds_for(Duration::from_millis(500)).await;
        // A primary that hangs for longer than the others wait for it is another's replica then.
        cluster.nodes().iter().for_each(Redis::freeze);
        caller.through(&site, &cluster, |all| all.nodes().iter().for_each(Redis::thaw)).await;
        assert!(caller.writes.iter().all(|count| *count > 0), "{:?}", caller.writes);
    });
}
