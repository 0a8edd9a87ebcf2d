//! Remove: what goes, and on which condition.

use std::time::Duration;

use tiny_cache_proto::v1::{
    Condition, LeaseRequest, Outcome, Presence, ReadRequest, ReadState, RemoveRequest,
    WriteRequest, condition::Holds,
};
use tonic::Code;

use crate::support::{
    Deployment,
    messages::{item, key, read, remove, write},
};

crate::rows![
    a_removal_needs_an_entry_whose_condition_holds,
    a_removal_sends_the_value_on_request,
    a_removal_of_what_is_absent_is_refused,
    a_removal_takes_a_stale_value_too,
];

async fn a_removal_needs_an_entry_whose_condition_holds(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let nothing = second.remove(remove("k", None)).await.unwrap().into_inner();
    assert_eq!((nothing.outcome(), nothing.version), (Outcome::NotFound, 0));

    cache.set(item("k", "v")).await.unwrap();
    let version = second.read(read("k")).await.unwrap().into_inner().version;
    for holds in [Holds::Version(version + 1), Holds::Value("w".into())] {
        let refused = second.remove(remove("k", Some(holds))).await.unwrap().into_inner();
        assert_eq!((refused.outcome(), refused.version), (Outcome::Mismatch, version));
    }
    for holds in [
        Holds::Version(version),
        Holds::Value("v".into()),
        Holds::Presence(Presence::Present as i32),
    ] {
        cache.set(item("k", "v")).await.unwrap();
        let now = second.read(read("k")).await.unwrap().into_inner().version;
        let holds = if let Holds::Version(_) = holds { Holds::Version(now) } else { holds };
        let removed = second.remove(remove("k", Some(holds))).await.unwrap().into_inner();
        assert_eq!((removed.outcome(), removed.version), (Outcome::Applied, 0));
        assert_eq!(removed.previous_version, now);
        assert!(!cache.get(key("k")).await.unwrap().found);
    }
}

async fn a_removal_sends_the_value_on_request(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    cache.set(item("k", "v")).await.unwrap();
    let request = RemoveRequest { return_previous: true, ..remove("k", None) };
    let removed = second.remove(request).await.unwrap().into_inner();
    assert_eq!((removed.outcome(), &removed.previous_value[..]), (Outcome::Applied, &b"v"[..]));
}

async fn a_removal_of_what_is_absent_is_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let absent = Holds::Presence(Presence::Absent as i32);
    let refused = second.remove(remove("k", Some(absent))).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let expected = "condition.presence is 1, absent: there would be nothing to remove";
    assert_eq!(refused.message(), expected);
    let empty = RemoveRequest { condition: Some(Condition::default()), ..remove("k", None) };
    assert_eq!(second.remove(empty).await.unwrap_err().code(), Code::InvalidArgument);
}

/// A value that is only stale is no entry for a condition. Still its removal is one: nobody is to
/// read afterwards what was there before.
async fn a_removal_takes_a_stale_value_too(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let lease = LeaseRequest { lease_ms: 100, ..LeaseRequest::default() };
    let leasing = || ReadRequest { lease: Some(lease), ..read("k") };
    second.write(WriteRequest { ttl_ms: 20, stale_ms: 60_000, ..write("k", "old") }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(40)).await;
    let held = second.read(leasing()).await.unwrap().into_inner();
    assert_eq!((held.state(), &held.value[..]), (ReadState::Stale, &b"old"[..]));

    let removed = second.remove(remove("k", None)).await.unwrap().into_inner();
    assert_eq!(removed.outcome(), Outcome::NotFound);
    let missed = second.read(leasing()).await.unwrap().into_inner();
    assert_eq!((missed.state(), missed.lease.is_some()), (ReadState::Miss, true));
}
