//! Invalidate: tags and whole namespaces that become unreadable at once.

use tiny_cache_proto::{
    cache::Empty,
    v1::{
        BatchRequest, DescribeRequest, InvalidateRequest, LeaseRequest, Operation, Outcome,
        ReadRequest, ReadState, ScanRequest, WriteRequest, operation::Operation as Sent,
    },
};
use tonic::Code;

use crate::support::{
    Cache, Deployment, Second, Site,
    messages::{item, key, read, tagged, within, write},
    scrape::Scrape,
};

crate::rows![
    a_tag_takes_the_entries_that_have_it,
    tags_are_those_of_their_namespace,
    a_namespace_is_dropped_and_goes_on,
    what_was_invalidated_is_counted_nowhere_and_removed_soon,
    a_slow_origin_stores_nothing_that_was_invalidated_meanwhile,
    the_last_write_of_a_key_has_the_say_about_its_tags,
    a_scan_and_a_description_know_of_it,
    tags_beyond_the_bounds_are_refused,
    what_names_nothing_is_refused,
    more_tags_than_are_kept_are_refused_at_once,
];

fn with_tags(request: WriteRequest, tags: &[&str]) -> WriteRequest {
    let tags = tags.iter().map(ToString::to_string).collect();
    WriteRequest { tags, ..request }
}

fn whole() -> InvalidateRequest {
    InvalidateRequest { whole_namespace: true, ..InvalidateRequest::default() }
}

async fn connected(site: &Site) -> (Cache, Second) {
    (site.connect().await, site.second().await)
}

async fn state(second: &mut Second, key: &str) -> ReadState {
    second.read(read(key)).await.unwrap().into_inner().state()
}

async fn a_tag_takes_the_entries_that_have_it(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = connected(&site).await;
    for (name, tags) in [("a", &["red"][..]), ("b", &["red", "round"]), ("c", &["round"])] {
        second.write(with_tags(write(name, "v"), tags)).await.unwrap();
    }
    // In a batch, too.
    let one = with_tags(write("d", "v"), &["red"]);
    let operations = vec![Operation { operation: Some(Sent::Write(one)) }];
    second.batch(BatchRequest { operations }).await.unwrap();
    cache.set(item("e", "v")).await.unwrap();
    let process = second.invalidate(tagged(&["red", "unknown"])).await.unwrap().into_inner();
    assert_ne!(process.process_id, 0);
    for (name, stays) in [("a", false), ("b", false), ("c", true), ("d", false), ("e", true)] {
        let found = state(&mut second, name).await;
        assert_eq!(found == ReadState::Fresh, stays, "{name}");
        // The first service sees the same.
        let found = cache.get(key(name)).await.unwrap();
        assert_eq!(found.found, stays, "{name}");
    }
}

async fn tags_are_those_of_their_namespace(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    for namespace in ["", "team"] {
        let request = with_tags(write("k", "v"), &["t"]);
        second.write(within(namespace, request)).await.unwrap();
    }
    second.invalidate(within("team", tagged(&["t"]))).await.unwrap();
    assert_eq!(state(&mut second, "k").await, ReadState::Fresh);
    let found = second.read(within("team", read("k"))).await.unwrap().into_inner();
    assert_eq!(found.state(), ReadState::Miss);
}

async fn a_namespace_is_dropped_and_goes_on(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = connected(&site).await;
    cache.set(item("k", "ours")).await.unwrap();
    let mut last = 0;
    for round in 0..20 {
        let request = within("team", write("k", round.to_string()));
        let written = second.write(request).await.unwrap().into_inner();
        assert!(written.version > last);
        assert_eq!(written.previous_version, 0, "what was dropped is no previous one");
        last = written.version;
        let found = cache.get(within("team", key("k"))).await.unwrap();
        assert_eq!(found.value, round.to_string());
        second.invalidate(within("team", whole())).await.unwrap();
        let found = cache.get(within("team", key("k"))).await.unwrap();
        assert!(!found.found);
    }
    assert_eq!(cache.get(key("k")).await.unwrap().value, "ours");
    // Without a namespace it is the shared one that goes.
    second.invalidate(whole()).await.unwrap();
    assert_eq!(state(&mut second, "k").await, ReadState::Miss);
}

async fn what_was_invalidated_is_counted_nowhere_and_removed_soon(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = connected(&site).await;
    for i in 0..50 {
        second.write(within("team", write(format!("k{i}"), "v"))).await.unwrap();
    }
    second.write(write("k", "v")).await.unwrap();
    second.invalidate(within("team", whole())).await.unwrap();
    let stats = cache.stats(Empty {}).await.unwrap();
    assert_eq!((stats.size, stats.evictions), (1, 0));
    Scrape::of(&site)
        .await
        .assert(&[("entries", 1.0), ("namespace_entries{cache_namespace=\"team\"}", 0.0)]);
    let removed = |scrape: &Scrape| scrape.value("tiny_cache_invalidated_removals_total") >= 50.0;
    Scrape::until(&site, removed).await.assert(&[
        ("invalidated_removals_total", 50.0),
        ("entries", 1.0),
        ("namespace_entries{cache_namespace=\"team\"}", 0.0),
    ]);
}

async fn a_slow_origin_stores_nothing_that_was_invalidated_meanwhile(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let leased = || {
        let lease = LeaseRequest { lease_ms: 60_000, wait_ms: 0 };
        ReadRequest { lease: Some(lease), ..read("k") }
    };
    for (invalidation, tags, outcome) in [
        (tagged(&["t"]), &["t"][..], Outcome::LeaseLost),
        (whole(), &[], Outcome::LeaseLost),
        (tagged(&["t"]), &["u"], Outcome::Applied),
    ] {
        let token = second.read(leased()).await.unwrap().into_inner().lease.unwrap().token;
        second.invalidate(invalidation).await.unwrap();
        let filled = WriteRequest { lease_token: token, ..with_tags(write("k", "old"), tags) };
        let written = second.write(filled).await.unwrap().into_inner();
        assert_eq!(written.outcome(), outcome);
    }
}

async fn the_last_write_of_a_key_has_the_say_about_its_tags(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = connected(&site).await;
    for name in ["plain", "other", "same"] {
        second.write(with_tags(write(name, "1"), &["t"])).await.unwrap();
    }
    cache.set(item("plain", "2")).await.unwrap();
    second.write(with_tags(write("other", "2"), &["u"])).await.unwrap();
    second.write(with_tags(write("same", "2"), &["t"])).await.unwrap();
    second.invalidate(tagged(&["t"])).await.unwrap();
    for (name, expected) in
        [("plain", ReadState::Fresh), ("other", ReadState::Fresh), ("same", ReadState::Miss)]
    {
        assert_eq!(state(&mut second, name).await, expected, "{name}");
    }
}

async fn a_scan_and_a_description_know_of_it(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    for (name, tags) in [("a", &["red", "round"][..]), ("b", &["round"]), ("c", &[])] {
        second.write(with_tags(write(name, "v"), tags)).await.unwrap();
    }
    let describe = DescribeRequest { key: "a".to_owned() };
    let described = second.describe(describe.clone()).await.unwrap().into_inner();
    assert_eq!(described.tags, ["red", "round"]);
    second.invalidate(tagged(&["red"])).await.unwrap();
    let described = second.describe(describe).await.unwrap().into_inner();
    assert_eq!((described.state(), described.tags.len()), (ReadState::Miss, 0));
    let scanned = second.scan(ScanRequest::default()).await.unwrap().into_inner();
    let mut keys: Vec<_> = scanned.entries.iter().map(|entry| &entry.key[..]).collect();
    keys.sort_unstable();
    assert_eq!((keys, scanned.cursor.len()), (vec!["b", "c"], 0));
}

async fn tags_beyond_the_bounds_are_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let (longest, long) = ("ä".repeat(64), "x".repeat(129));
    let eight = ["1", "2", "3", "4", "5", "6", "7", &longest];
    second.write(with_tags(write("k", "v"), &eight)).await.unwrap();
    second.invalidate(tagged(&[&longest])).await.unwrap();
    assert_eq!(state(&mut second, "k").await, ReadState::Miss);
    for (tags, text) in [
        (&["1", "2", "3", "4", "5", "6", "7", "8", "9"][..], "9 tags: an entry has at most 8"),
        (&["t", ""], "a tag has 0 bytes: it has 1 to 128"),
        (&[&long[..]], "a tag has 129 bytes: it has 1 to 128"),
    ] {
        let refused = second.write(with_tags(write("k", "v"), tags)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
        if tags.len() < 9 {
            let refused = second.invalidate(tagged(tags)).await.unwrap_err();
            assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
        }
    }
    assert_eq!(state(&mut second, "k").await, ReadState::Miss);
}

async fn what_names_nothing_is_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    second.write(with_tags(write("k", "v"), &["t"])).await.unwrap();
    let both = InvalidateRequest { whole_namespace: true, ..tagged(&["t"]) };
    for request in [InvalidateRequest::default(), both, tagged(&["t", ""]), tagged(&["t"; 10_001])]
    {
        let refused = second.invalidate(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    assert_eq!(state(&mut second, "k").await, ReadState::Fresh);
}

/// "Try again in a second" was the answer, and no second was enough.
async fn more_tags_than_are_kept_are_refused_at_once(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_BATCH_ITEMS", "70000")]);
    let mut second = site.second().await;
    let refused = second.invalidate(tagged(&["t"; 65_537])).await.unwrap_err();
    let text = "65537 tags are too many at once (max 65536): invalidate the namespace";
    assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
}
