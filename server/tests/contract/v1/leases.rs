//! Leases: one caller fills what is missing, the others wait, and what is outdated is not written.

use std::time::{Duration, Instant};

use tiny_cache_proto::v1::{
    BatchRequest, Lease, LeaseRequest, Operation, Outcome, ReadReply, ReadRequest, ReadState,
    ReleaseRequest, WriteRequest, operation::Operation as Sent, operation_result::Result as Got,
};
use tokio::task::JoinSet;
use tonic::{Code, Request};

use crate::support::{
    Deployment, Second, Site,
    messages::{item, key, read, remove, write},
};

crate::rows![
    one_caller_gets_the_lease_and_the_others_get_its_value,
    a_caller_that_does_not_wait_is_told_that_another_fills,
    a_lease_that_was_ended_writes_nothing,
    a_lease_that_is_given_back_goes_to_the_next,
    a_lease_that_expires_goes_to_the_next,
    a_lease_that_was_passed_on_expires_by_its_own_time,
    a_lease_goes_to_the_next_when_its_holder_is_gone,
    a_caller_that_waits_stops_at_its_deadline,
    callers_that_wait_do_not_hold_up_a_drain,
    a_lease_in_a_batch_is_not_waited_for,
    terms_beyond_the_bounds_are_refused,
    a_stampede_makes_one_call_to_the_origin,
    a_stale_value_is_for_those_that_ask_for_a_lease,
    one_caller_refreshes_what_will_expire,
    a_touch_moves_the_stale_span,
    a_jittered_ttl_is_spread,
    spans_beyond_the_bounds_are_refused,
];

fn leased(lease_ms: i64, wait_ms: i64) -> ReadRequest {
    ReadRequest { lease: Some(LeaseRequest { lease_ms, wait_ms }), ..read("k") }
}

async fn ask(second: &mut Second, lease_ms: i64, wait_ms: i64) -> ReadReply {
    second.read(leased(lease_ms, wait_ms)).await.unwrap().into_inner()
}

/// The lease of a reply to a caller that is to fill.
fn granted(reply: &ReadReply) -> Lease {
    assert_eq!(reply.state(), ReadState::Miss, "{reply:?}");
    reply.lease.unwrap()
}

fn fill(lease: Lease, value: &'static str) -> WriteRequest {
    WriteRequest { lease_token: lease.token, ..write("k", value) }
}

/// Callers that wait, each with its connection, on which a lease depends. Nobody can see that they
/// have begun, so they get a moment.
async fn waiting(site: &Site, count: usize, lease_ms: i64) -> JoinSet<(ReadReply, Second)> {
    let mut callers = JoinSet::new();
    for _ in 0..count {
        let mut second = site.second().await;
        callers.spawn(async move { (ask(&mut second, lease_ms, 10_000).await, second) });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    callers
}

async fn one_caller_gets_the_lease_and_the_others_get_its_value(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let lease = granted(&ask(&mut second, 5000, 1000).await);
    assert!(lease.token > 0 && lease.lease_ms == 5000, "{lease:?}");
    let callers = waiting(&site, 5, 5000).await;
    let written = second.write(fill(lease, "v")).await.unwrap().into_inner();
    assert_eq!(written.outcome(), Outcome::Applied);
    for (reply, _) in callers.join_all().await {
        assert_eq!((reply.state(), &reply.value[..]), (ReadState::Fresh, &b"v"[..]));
        assert_eq!((reply.version, reply.lease), (written.version, None));
    }
    let late = second.write(fill(lease, "again")).await.unwrap().into_inner();
    assert_eq!((late.outcome(), late.version), (Outcome::LeaseLost, written.version));
    assert_eq!(ask(&mut second, 5000, 0).await.value, "v");
}

async fn a_caller_that_does_not_wait_is_told_that_another_fills(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let lease = granted(&ask(&mut second, 5000, 0).await);
    for wait in [0, 30] {
        let begun = Instant::now();
        let reply = ask(&mut second, 5000, wait).await;
        assert_eq!((reply.state(), reply.lease), (ReadState::Busy, None));
        assert!(begun.elapsed() >= Duration::from_millis(wait as u64));
    }
    // A read that asks for no lease, and the first service, see a miss.
    let plain = second.read(read("k")).await.unwrap().into_inner();
    assert_eq!(plain.state(), ReadState::Miss);
    assert!(!site.connect().await.get(key("k")).await.unwrap().found);
    second.write(fill(lease, "v")).await.unwrap();
}

async fn a_lease_that_was_ended_writes_nothing(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    for ended_by in ["delete", "set", "remove", "write", "set and delete"] {
        let lease = granted(&ask(&mut second, 5000, 0).await);
        match ended_by {
            "delete" => drop(cache.delete(key("k")).await.unwrap()),
            "set" => drop(cache.set(item("k", "newer")).await.unwrap()),
            "remove" => drop(second.remove(remove("k", None)).await.unwrap()),
            "write" => drop(second.write(write("k", "newer")).await.unwrap()),
            _ => {
                cache.set(item("k", "newer")).await.unwrap();
                cache.delete(key("k")).await.unwrap();
            }
        }
        let before = cache.get(key("k")).await.unwrap();
        let late = second.write(fill(lease, "slow")).await.unwrap().into_inner();
        assert_eq!(late.outcome(), Outcome::LeaseLost, "{ended_by}");
        assert_eq!(cache.get(key("k")).await.unwrap(), before, "{ended_by}");
        cache.delete(key("k")).await.unwrap();
    }
}

async fn a_lease_that_is_given_back_goes_to_the_next(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let lease = granted(&ask(&mut second, 5000, 0).await);
    let mut callers = waiting(&site, 2, 5000).await;
    let back = ReleaseRequest { key: "k".to_owned(), lease_token: lease.token };
    assert!(second.release(back.clone()).await.unwrap().into_inner().released);
    assert!(!second.release(back).await.unwrap().into_inner().released);
    let (next, _connection) = callers.join_next().await.unwrap().unwrap();
    let next = granted(&next);
    assert_ne!(next.token, lease.token);
    assert_eq!(
        second.write(fill(lease, "v")).await.unwrap().into_inner().outcome(),
        Outcome::LeaseLost
    );
    second.write(fill(next, "w")).await.unwrap();
    assert_eq!(callers.join_next().await.unwrap().unwrap().0.value, "w");
}

async fn a_lease_that_expires_goes_to_the_next(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let begun = Instant::now();
    let lease = granted(&ask(&mut second, 300, 0).await);
    let mut callers = waiting(&site, 2, 5000).await;
    let (next, _connection) = callers.join_next().await.unwrap().unwrap();
    let next = granted(&next);
    let took = begun.elapsed();
    assert!((300..1000).contains(&took.as_millis()), "{took:?}");
    let late = second.write(fill(lease, "slow")).await.unwrap().into_inner();
    assert_eq!(late.outcome(), Outcome::LeaseLost);
    second.write(fill(next, "v")).await.unwrap();
    assert_eq!(callers.join_next().await.unwrap().unwrap().0.value, "v");
}

/// The others slept until the first lease would have ended, which was longer.
async fn a_lease_that_was_passed_on_expires_by_its_own_time(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let lease = granted(&ask(&mut second, 60_000, 0).await);
    let mut callers = waiting(&site, 3, 300).await;
    let back = ReleaseRequest { key: "k".to_owned(), lease_token: lease.token };
    second.release(back).await.unwrap();
    let begun = Instant::now();
    let mut connections = Vec::new();
    while let Some(next) = callers.join_next().await {
        let (reply, connection) = next.unwrap();
        granted(&reply);
        connections.push(connection);
    }
    let took = begun.elapsed();
    assert!((600..5000).contains(&took.as_millis()), "{took:?}");
}

async fn a_lease_goes_to_the_next_when_its_holder_is_gone(on: Deployment) {
    let site = on.start();
    let mut holder = site.second().await;
    granted(&ask(&mut holder, 60_000, 0).await);
    let mut callers = waiting(&site, 1, 5000).await;
    let begun = Instant::now();
    drop(holder);
    granted(&callers.join_next().await.unwrap().unwrap().0);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

async fn a_caller_that_waits_stops_at_its_deadline(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let lease = granted(&ask(&mut second, 5000, 0).await);
    let mut request = Request::new(leased(60_000, 10_000));
    request.set_timeout(Duration::from_millis(80));
    let begun = Instant::now();
    let late = second.read(request).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2));
    // tonic's own deadline may come first, and it says CANCELLED.
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    // The lease does not stay with somebody who has gone, also where the server hears of that last.
    let back = ReleaseRequest { key: "k".to_owned(), lease_token: lease.token };
    second.release(back).await.unwrap();
    granted(&ask(&mut second, 5000, 10_000).await);
}

async fn callers_that_wait_do_not_hold_up_a_drain(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    granted(&ask(&mut second, 60_000, 0).await);
    let mut waiter = site.second().await;
    let waiter = tokio::spawn(async move { waiter.read(leased(60_000, 60_000)).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    tokio::task::spawn_blocking(move || site.server.shutdown()).await.unwrap();
    let ended = waiter.await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable, "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

async fn a_lease_in_a_batch_is_not_waited_for(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let operations = [leased(5000, 0), leased(5000, 0), leased(5000, 7)];
    let operations = operations.map(|one| Operation { operation: Some(Sent::Read(one)) }).to_vec();
    let reply = second.batch(BatchRequest { operations }).await.unwrap().into_inner();
    let results: Vec<_> = reply.results.into_iter().map(|it| it.result.unwrap()).collect();
    let [Got::Read(first), Got::Read(other), Got::Failure(failure)] = &results[..] else {
        panic!("{results:?}");
    };
    granted(first);
    assert_eq!(other.state(), ReadState::Busy);
    assert_eq!(failure.message, "lease.wait_ms is 7: in a batch it is 0");
}

async fn terms_beyond_the_bounds_are_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    for (lease, wait, message) in [
        (0, 0, "lease.lease_ms is 0: it is 1 to 60000 milliseconds"),
        (60_001, 0, "lease.lease_ms is 60001: it is 1 to 60000 milliseconds"),
        (-1, 0, "lease.lease_ms is -1: it is 1 to 60000 milliseconds"),
        (1, -1, "lease.wait_ms is -1: it is 0 to 60000 milliseconds"),
        (1, 60_001, "lease.wait_ms is 60001: it is 0 to 60000 milliseconds"),
    ] {
        let refused = second.read(leased(lease, wait)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, message));
    }
}

async fn a_stampede_makes_one_call_to_the_origin(on: Deployment) {
    const CALLERS: usize = 500;
    const ORIGIN: Duration = Duration::from_millis(100);
    let site = on.start();
    let channels = [site.second().await, site.second().await];
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let mut second = channels[caller % channels.len()].clone();
        callers.spawn(async move {
            let reply = ask(&mut second, 10_000, 10_000).await;
            let Some(lease) = reply.lease else { return (reply.value, 0) };
            tokio::time::sleep(ORIGIN).await;
            second.write(fill(lease, "made once")).await.unwrap();
            ("made once".into(), 1)
        });
    }
    let replies = callers.join_all().await;
    assert!(replies.iter().all(|(value, _)| value == "made once"));
    assert_eq!(replies.iter().map(|(_, calls)| calls).sum::<usize>(), 1);
}

async fn a_stale_value_is_for_those_that_ask_for_a_lease(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let old = WriteRequest { ttl_ms: 30, stale_ms: 60_000, ..write("k", "old") };
    let version = second.write(old).await.unwrap().into_inner().version;
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert!(!cache.get(key("k")).await.unwrap().found);
    let plain = second.read(read("k")).await.unwrap().into_inner();
    assert_eq!((plain.state(), plain.version), (ReadState::Miss, 0));

    let first = ask(&mut second, 5000, 5000).await;
    assert_eq!((first.state(), &first.value[..]), (ReadState::Stale, &b"old"[..]));
    assert_eq!((first.version, first.ttl_left_ms), (version, 0));
    let begun = Instant::now();
    let other = ask(&mut second, 5000, 5000).await;
    assert_eq!((other.state(), other.lease), (ReadState::Stale, None));
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody waits for a stale value");

    let filled = second.write(fill(first.lease.unwrap(), "new")).await.unwrap().into_inner();
    assert_eq!((filled.outcome(), filled.previous_version), (Outcome::Applied, 0));
    assert_eq!(cache.get(key("k")).await.unwrap().value, "new");
    assert_eq!(ask(&mut second, 5000, 0).await.state(), ReadState::Fresh);
}

async fn one_caller_refreshes_what_will_expire(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let soon = WriteRequest { ttl_ms: 60_000, refresh_before_ms: 60_000, ..write("k", "old") };
    second.write(soon).await.unwrap();
    assert_eq!(second.read(read("k")).await.unwrap().into_inner().lease, None);
    let first = ask(&mut second, 5000, 5000).await;
    assert_eq!((first.state(), &first.value[..]), (ReadState::Fresh, &b"old"[..]));
    let other = ask(&mut second, 5000, 5000).await;
    assert_eq!((other.state(), other.lease), (ReadState::Fresh, None));
    assert_eq!(cache.get(key("k")).await.unwrap().value, "old");
    let filled = second.write(fill(first.lease.unwrap(), "new")).await.unwrap().into_inner();
    assert_eq!(filled.outcome(), Outcome::Applied);
    let after = ask(&mut second, 5000, 5000).await;
    assert_eq!((&after.value[..], after.lease), (&b"new"[..], None));
}

async fn a_touch_moves_the_stale_span(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let entry = WriteRequest { ttl_ms: 60_000, stale_ms: 60_000, ..write("k", "v") };
    second.write(entry).await.unwrap();
    second.read(ReadRequest { touch_ttl_ms: Some(30), ..read("k") }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(40)).await;
    let stale = ask(&mut second, 5000, 0).await;
    assert_eq!((stale.state(), &stale.value[..]), (ReadState::Stale, &b"v"[..]));
}

async fn a_jittered_ttl_is_spread(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let mut left = Vec::new();
    for _ in 0..50 {
        let entry = WriteRequest { ttl_ms: 100_000, ttl_jitter_percent: 20, ..write("k", "v") };
        second.write(entry).await.unwrap();
        left.push(second.read(read("k")).await.unwrap().into_inner().ttl_left_ms);
    }
    let (least, most) = (left.iter().min().unwrap(), left.iter().max().unwrap());
    assert!(*least >= 75_000 && *most <= 100_000, "{left:?}");
    // 50 draws that all lie within a quarter of the span are one of 10 to the 28th.
    assert!(most - least > 5_000, "{left:?}");
}

async fn spans_beyond_the_bounds_are_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let entry = || WriteRequest { ttl_ms: 1000, ..write("k", "v") };
    for (request, message) in [
        (
            WriteRequest { stale_ms: -1, ..entry() },
            "stale_ms is -1: it is 0 to 2592000000 milliseconds",
        ),
        (
            WriteRequest { stale_ms: 2_592_000_001, ..entry() },
            "stale_ms is 2592000001: it is 0 to 2592000000 milliseconds",
        ),
        (
            WriteRequest { refresh_before_ms: 1001, ..entry() },
            "refresh_before_ms is 1001: it is at most ttl_ms, 1000",
        ),
        (
            WriteRequest { stale_ms: 1, ttl_ms: 0, ..entry() },
            "stale_ms and refresh_before_ms need a ttl_ms: an entry that never expires is never \
             stale",
        ),
        (
            WriteRequest { ttl_jitter_percent: 101, ..entry() },
            "ttl_jitter_percent is 101: it is 0 to 100",
        ),
    ] {
        let refused = second.write(request).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, message));
    }
}
