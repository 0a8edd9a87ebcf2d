//! Scan: the keys of a namespace, page by page.

use std::collections::BTreeMap;

use bytes::Bytes;
use tiny_cache_proto::v1::{ScanEntry, ScanReply, ScanRequest};
use tonic::Code;

use crate::support::{
    Deployment, Second,
    messages::{item, key, lasting, read, within, write},
    scrape::Scrape,
};

crate::rows![
    a_scan_lists_what_either_service_wrote,
    pages_go_on_where_the_last_one_ended,
    a_key_that_stays_is_listed_once_whatever_is_written_meanwhile,
    a_cursor_of_another_scan_is_refused,
    what_is_no_page_is_refused,
];

fn scan(prefix: &str, limit: i32) -> ScanRequest {
    ScanRequest { prefix: prefix.to_owned(), limit, ..ScanRequest::default() }
}

async fn page(second: &mut Second, namespace: &str, request: ScanRequest) -> ScanReply {
    second.scan(within(namespace, request)).await.unwrap().into_inner()
}

/// Every entry of a scan by its key; none comes twice.
async fn all(
    second: &mut Second,
    namespace: &str,
    request: ScanRequest,
) -> BTreeMap<String, ScanEntry> {
    let mut entries = BTreeMap::new();
    let mut cursor = Bytes::new();
    loop {
        let reply = page(second, namespace, ScanRequest { cursor, ..request.clone() }).await;
        for entry in reply.entries {
            let twice = entries.insert(entry.key.clone(), entry);
            assert_eq!(twice, None);
        }
        if reply.cursor.is_empty() {
            return entries;
        }
        cursor = reply.cursor;
    }
}

async fn a_scan_lists_what_either_service_wrote(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let empty = page(&mut second, "", scan("", 0)).await;
    assert!(empty.process_id > 0);
    cache.set(item("first", "12345")).await.unwrap();
    cache.set(lasting("with a ttl", "", 100)).await.unwrap();
    second.write(write("second", "é")).await.unwrap();
    second.write(within("team", write("theirs", "v"))).await.unwrap();
    cache.set(item("gone", "v")).await.unwrap();
    cache.delete(key("gone")).await.unwrap();
    let before = Scrape::of(&site).await;

    let ours = all(&mut second, "", scan("", 0)).await;
    let listed: Vec<_> = ours.values().map(|entry| (&*entry.key, entry.value_bytes)).collect();
    assert_eq!(listed, [("first", 5), ("second", 2), ("with a ttl", 0)]);
    assert_eq!(ours["first"].ttl_left_ms, 0);
    let left = ours["with a ttl"].ttl_left_ms;
    assert!((50_000..=100_000).contains(&left), "{left}");
    let theirs = all(&mut second, "team", scan("", 0)).await;
    assert_eq!(theirs.keys().collect::<Vec<_>>(), ["theirs"]);
    let begun = all(&mut second, "", scan("fir", 0)).await;
    assert_eq!(begun.keys().collect::<Vec<_>>(), ["first"]);

    let after = Scrape::of(&site).await;
    for figure in ["tiny_cache_hits_total", "tiny_cache_misses_total"] {
        assert!(before.find(figure).is_some(), "{figure}");
        assert_eq!(before.find(figure), after.find(figure), "{figure}");
    }
    let found = second.read(read("first")).await.unwrap().into_inner();
    assert_eq!(found.version, ours["first"].version);
}

async fn pages_go_on_where_the_last_one_ended(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    for number in 0..100 {
        cache.set(item(format!("k:{number}"), "v")).await.unwrap();
    }
    for limit in [1, 7, 99, 100, 10_000] {
        let first = page(&mut second, "", scan("k:", limit)).await;
        assert!(first.entries.len() <= limit as usize, "{limit}");
        assert_eq!(all(&mut second, "", scan("k:", limit)).await.len(), 100, "{limit}");
    }
}

async fn a_key_that_stays_is_listed_once_whatever_is_written_meanwhile(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    for number in 0..50 {
        cache.set(item(format!("stays:{number}"), "v")).await.unwrap();
    }
    let (mut stays, mut cursor) = (0, Bytes::new());
    for round in 0.. {
        let reply = page(&mut second, "", ScanRequest { cursor, ..scan("stays:", 3) }).await;
        stays += reply.entries.len();
        cursor = reply.cursor;
        if cursor.is_empty() {
            break;
        }
        cache.set(item("stays:7", "another")).await.unwrap();
        for number in 0..20 {
            cache.set(item(format!("comes:{round}:{number}"), "v")).await.unwrap();
        }
    }
    assert_eq!(stays, 50);
}

async fn a_cursor_of_another_scan_is_refused(on: Deployment) {
    let site = on.start();
    let other = on.start();
    let (mut second, mut another) = (site.second().await, other.second().await);
    for number in 0..10 {
        second.write(write(format!("k:{number}"), "v")).await.unwrap();
    }
    let cursor = page(&mut second, "", scan("k:", 1)).await.cursor;
    let asked = |prefix: &str| ScanRequest { cursor: cursor.clone(), ..scan(prefix, 0) };
    page(&mut second, "", asked("k:")).await;
    let junk = ScanRequest { cursor: b"junk".as_slice().into(), ..scan("k:", 0) };
    for (namespace, request) in [("", asked("k")), ("team", asked("k:")), ("", junk)] {
        let refused = second.scan(within(namespace, request)).await.unwrap_err();
        let expected = "cursor is none of this scan: it is one of another prefix, namespace or \
                        process; begin anew without one";
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, expected));
    }
    let refused = another.scan(asked("k:")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

async fn what_is_no_page_is_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let long = "é".repeat(257);
    for (request, message) in [
        (scan("", -1), "limit is -1: it is 1 to 10000, or 0 for 1000"),
        (scan("", 10_001), "limit is 10001: it is 1 to 10000, or 0 for 1000"),
        (scan(&long, 0), "prefix has 257 characters: it has at most 256"),
    ] {
        let refused = second.scan(request).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, message));
    }
    page(&mut second, "", scan(&"é".repeat(256), 0)).await;
}
