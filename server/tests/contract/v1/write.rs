//! Write: its conditions, its ttl, and what it replies.

use ring::digest::{SHA256, digest};
use tiny_cache_proto::v1::{
    Condition, Outcome, Presence, WriteReply, WriteRequest, condition::Holds,
};
use tonic::{Code, Status};

use crate::support::{
    Deployment, Second, Site,
    messages::{item, key, read, when, write},
};

crate::rows![
    a_write_is_read_by_both_services,
    a_write_is_made_if_its_condition_holds,
    a_condition_by_hash_takes_a_sha_256,
    the_value_that_was_there_is_sent_on_request,
    a_ttl_is_in_milliseconds,
    a_refused_write_leaves_the_old_value,
    what_is_no_condition_is_refused,
    of_many_writers_of_a_version_one_wins,
];

async fn put(second: &mut Second, value: &'static str, holds: Option<Holds>) -> WriteReply {
    second.write(when(write("k", value), holds)).await.unwrap().into_inner()
}

async fn a_write_is_read_by_both_services(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let written = put(&mut second, "v", None).await;
    assert_eq!((written.outcome(), written.previous_version), (Outcome::Applied, 0));
    assert!(written.process_id > 0);
    assert_eq!(cache.get(key("k")).await.unwrap().value, "v");
    let found = second.read(read("k")).await.unwrap().into_inner();
    assert_eq!((found.version, found.process_id), (written.version, written.process_id));
}

async fn a_write_is_made_if_its_condition_holds(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let (absent, present) = (Presence::Absent as i32, Presence::Present as i32);
    let value = |value: &'static str| Holds::Value(value.into());
    for (holds, outcome) in [
        (Holds::Presence(present), Outcome::NotFound),
        (Holds::Version(7), Outcome::NotFound),
        (value("v"), Outcome::NotFound),
        (Holds::ValueSha256(vec![0; 32].into()), Outcome::NotFound),
    ] {
        let refused = put(&mut second, "v", Some(holds.clone())).await;
        assert_eq!((refused.outcome(), refused.version), (outcome, 0), "{holds:?}");
    }
    let first = put(&mut second, "1", Some(Holds::Presence(absent))).await;
    assert_eq!(first.outcome(), Outcome::Applied);
    let refused = put(&mut second, "2", Some(Holds::Presence(absent))).await;
    assert_eq!((refused.outcome(), refused.version), (Outcome::Exists, first.version));
    let next = put(&mut second, "2", Some(Holds::Version(first.version))).await;
    assert_eq!((next.outcome(), next.previous_version), (Outcome::Applied, first.version));
    let late = put(&mut second, "3", Some(Holds::Version(first.version))).await;
    assert_eq!((late.outcome(), late.version), (Outcome::Mismatch, next.version));
    assert_eq!(put(&mut second, "3", Some(value("1"))).await.outcome(), Outcome::Mismatch);
    assert_eq!(put(&mut second, "3", Some(value("2"))).await.outcome(), Outcome::Applied);
    let any = put(&mut second, "4", Some(Holds::Presence(present))).await;
    assert_eq!(any.outcome(), Outcome::Applied);
    assert_eq!(cache.get(key("k")).await.unwrap().value, "4");
}

async fn a_condition_by_hash_takes_a_sha_256(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let hash = |value: &[u8]| Holds::ValueSha256(digest(&SHA256, value).as_ref().to_vec().into());
    put(&mut second, "1", None).await;
    let refused = put(&mut second, "2", Some(hash(b"2"))).await;
    assert_eq!(refused.outcome(), Outcome::Mismatch);
    assert_eq!(put(&mut second, "2", Some(hash(b"1"))).await.outcome(), Outcome::Applied);
}

async fn the_value_that_was_there_is_sent_on_request(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let large = vec![7; 100_000];
    for (value, was) in [(&b"1"[..], &b""[..]), (&large, b"1"), (b"", &large), (b"x", b"")] {
        let request = WriteRequest { return_previous: true, ..write("k", value.to_vec()) };
        let written = second.write(request).await.unwrap().into_inner();
        assert_eq!(written.previous_value, was);
    }
    let missed = Some(Condition { holds: Some(Holds::Version(1)) });
    let request =
        WriteRequest { return_previous: true, condition: missed, ..write("k", "not written") };
    let refused = second.write(request).await.unwrap().into_inner();
    assert_eq!((refused.outcome(), &refused.previous_value[..]), (Outcome::Mismatch, &b"x"[..]));
    let silent = put(&mut second, "y", None).await;
    assert_eq!(silent.previous_value, "");
}

async fn a_ttl_is_in_milliseconds(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    second.write(WriteRequest { ttl_ms: 90, ..write("k", "v") }).await.unwrap();
    let found = second.read(read("k")).await.unwrap().into_inner();
    assert!((0..=90).contains(&found.ttl_left_ms), "{found:?}");
    tokio::time::sleep(std::time::Duration::from_millis(95)).await;
    assert!(!site.connect().await.get(key("k")).await.unwrap().found);

    let year = 365 * 86_400 * 1000;
    second.write(WriteRequest { ttl_ms: year + 1, ..write("k", "v") }).await.unwrap();
    let found = second.read(read("k")).await.unwrap().into_inner();
    assert!((year - 10_000..=year + 1000).contains(&found.ttl_left_ms), "{found:?}");
    second.write(WriteRequest { ttl_ms: i64::MAX, ..write("k", "v") }).await.unwrap();
    let found = second.read(read("k")).await.unwrap().into_inner();
    assert!(found.ttl_left_ms > 60 * year, "{found:?}");
}

async fn a_refused_write_leaves_the_old_value(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut second = site.second().await;
    let first = put(&mut second, "v", None).await;
    let large = write("k", vec![0; 101]);
    let refused = second.write(large.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.message(), "Value exceeds maximum allowed cache entry size");
    let unmet = second.write(when(large, Some(Holds::Version(1)))).await.unwrap().into_inner();
    assert_eq!(unmet.outcome(), Outcome::Mismatch, "the condition is looked at first");
    let found = second.read(read("k")).await.unwrap().into_inner();
    assert_eq!((found.version, &found.value[..]), (first.version, &b"v"[..]));
}

async fn refusal(site: &Site, request: WriteRequest) -> Status {
    site.second().await.write(request).await.unwrap_err()
}

async fn what_is_no_condition_is_refused(on: Deployment) {
    let site = on.start();
    site.connect().await.set(item("k", "v")).await.unwrap();
    for (request, message) in [
        (
            WriteRequest { condition: Some(Condition { holds: None }), ..write("k", "w") },
            "condition is empty: set one of its fields, or leave it out",
        ),
        (
            when(write("k", "w"), Some(Holds::Presence(0))),
            "condition.presence is 0: it is 1 for absent or 2 for present",
        ),
        (
            when(write("k", "w"), Some(Holds::Presence(3))),
            "condition.presence is 3: it is 1 for absent or 2 for present",
        ),
        (
            when(write("k", "w"), Some(Holds::ValueSha256(vec![0; 31].into()))),
            "condition.value_sha256 has 31 bytes: a SHA-256 has 32",
        ),
        (
            WriteRequest { ttl_ms: -5, ..write("k", "w") },
            "ttl_ms is -5: it is positive, or 0 for an entry that never expires",
        ),
        (write("", "w"), "Key cannot be empty"),
        (write("k".repeat(257), "w"), "Key is too long (max 256)"),
    ] {
        let refused = refusal(&site, request).await;
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, message));
    }
    assert_eq!(site.connect().await.get(key("k")).await.unwrap().value, "v");
}

async fn of_many_writers_of_a_version_one_wins(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let mut version = put(&mut second, "0", None).await.version;
    for _ in 0..20 {
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let mut second = second.clone();
            writers.spawn(async move {
                let request = when(write("k", "v"), Some(Holds::Version(version)));
                second.write(request).await.unwrap().into_inner()
            });
        }
        let written = writers.join_all().await;
        let won = written.iter().filter(|reply| reply.outcome() == Outcome::Applied);
        let won: Vec<_> = won.collect();
        assert_eq!(won.len(), 1, "{written:?}");
        assert!(written.iter().all(|reply| reply.version == won[0].version), "{written:?}");
        version = won[0].version;
    }
}
