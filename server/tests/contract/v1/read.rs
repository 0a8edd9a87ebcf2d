//! Read: value, version and times, what is left out of the reply, and a touch.

use std::time::Duration;

use tiny_cache_proto::v1::{ReadReply, ReadRequest, ReadState};
use tonic::Code;

use crate::support::{
    Deployment,
    messages::{item, key, lasting, read},
};

crate::rows![
    a_read_returns_value_version_and_times,
    a_miss_is_a_reply,
    a_read_may_leave_the_value_out,
    a_value_that_is_known_is_not_sent_again,
    a_touch_gives_a_new_deadline_and_no_new_version,
    a_touch_with_a_negative_ttl_is_refused,
    reads_are_hits_and_misses,
    a_large_value_comes_whole,
];

async fn a_read_returns_value_version_and_times(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    cache.set(lasting("k", "v", 100)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let found = second.read(read("k")).await.unwrap().into_inner();
    assert_eq!((found.state(), &found.value[..]), (ReadState::Fresh, &b"v"[..]));
    assert!(found.version > 0 && found.process_id > 0 && !found.not_modified, "{found:?}");
    assert!((20..10_000).contains(&found.age_ms), "{found:?}");
    assert!((90_000..=100_000).contains(&found.ttl_left_ms), "{found:?}");

    cache.set(item("k", "v")).await.unwrap();
    let again = second.read(read("k")).await.unwrap().into_inner();
    assert!(again.version > found.version);
    assert_eq!((again.ttl_left_ms, again.process_id), (0, found.process_id));
}

async fn a_miss_is_a_reply(on: Deployment) {
    let site = on.start();
    let found = site.second().await.read(read("k")).await.unwrap().into_inner();
    let process_id = found.process_id;
    let state = ReadState::Miss.into();
    assert_eq!(found, ReadReply { state, process_id, ..ReadReply::default() });
}

async fn a_read_may_leave_the_value_out(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let request = ReadRequest { exists_only: true, ..read("k") };
    let found = second.read(request.clone()).await.unwrap().into_inner();
    assert_eq!(found.state(), ReadState::Miss);
    site.connect().await.set(item("k", "v")).await.unwrap();
    let found = second.read(request).await.unwrap().into_inner();
    assert_eq!((found.state(), found.value.len()), (ReadState::Fresh, 0));
    assert!(found.version > 0);
}

async fn a_value_that_is_known_is_not_sent_again(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    cache.set(item("k", "v")).await.unwrap();
    let version = second.read(read("k")).await.unwrap().into_inner().version;
    let request = ReadRequest { if_version_not: version, ..read("k") };
    let found = second.read(request.clone()).await.unwrap().into_inner();
    assert_eq!((found.state(), found.not_modified), (ReadState::Fresh, true));
    assert_eq!((found.value.len(), found.version), (0, version));

    cache.set(item("k", "v")).await.unwrap();
    let found = second.read(request).await.unwrap().into_inner();
    assert_eq!((&found.value[..], found.not_modified), (&b"v"[..], false));
}

async fn a_touch_gives_a_new_deadline_and_no_new_version(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let touch = |ttl| ReadRequest { touch_ttl_ms: Some(ttl), ..read("k") };
    let missed = second.read(touch(1000)).await.unwrap().into_inner();
    assert_eq!(missed.state(), ReadState::Miss, "a touch makes no entry");

    cache.set(lasting("k", "v", 1)).await.unwrap();
    let version = second.read(read("k")).await.unwrap().into_inner().version;
    let touched = second.read(touch(60_000)).await.unwrap().into_inner();
    assert_eq!((touched.version, &touched.value[..]), (version, &b"v"[..]));
    assert!((59_000..=60_001).contains(&touched.ttl_left_ms), "{touched:?}");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(cache.get(key("k")).await.unwrap().found);

    let forever = second.read(touch(0)).await.unwrap().into_inner();
    assert_eq!((forever.ttl_left_ms, forever.version), (0, version));
    second.read(touch(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(!cache.get(key("k")).await.unwrap().found);
}

async fn a_touch_with_a_negative_ttl_is_refused(on: Deployment) {
    let site = on.start();
    let request = ReadRequest { touch_ttl_ms: Some(-1), ..read("k") };
    let refused = site.second().await.read(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let expected = "touch_ttl_ms is -1: it is positive, or 0 for an entry that never expires";
    assert_eq!(refused.message(), expected);
}

async fn reads_are_hits_and_misses(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    second.read(read("k")).await.unwrap();
    cache.set(item("k", "v")).await.unwrap();
    second.read(read("k")).await.unwrap();
    second.read(ReadRequest { exists_only: true, ..read("k") }).await.unwrap();
    let stats = cache.stats(tiny_cache_proto::cache::Empty {}).await.unwrap();
    assert_eq!((stats.hits, stats.misses), (2, 1));
}

async fn a_large_value_comes_whole(on: Deployment) {
    let site = on.start();
    let value: Vec<u8> = (0..3 << 20).map(|n| (n % 251) as u8).collect();
    site.connect().await.set(item("k", value.clone())).await.unwrap();
    let found = site.second().await.read(read("k")).await.unwrap().into_inner();
    assert_eq!(found.value, value);
}
