//! HotKeys: what was asked for most in the last minute, and what is largest.

use tiny_cache_proto::v1::{AddRequest, HotKeysReply, HotKeysRequest, ReleaseRequest};
use tonic::Code;

use crate::support::{
    Deployment, Second,
    messages::{item, items, key, keys, read, remove, swap, within, write},
};

crate::rows![
    the_hottest_keys_are_named_with_their_requests,
    every_rpc_with_a_key_is_a_request_of_it,
    the_largest_values_are_named,
    what_is_no_number_of_keys_is_refused,
];

async fn hot(second: &mut Second, limit: i32) -> HotKeysReply {
    second.hot_keys(HotKeysRequest { limit }).await.unwrap().into_inner()
}

/// So few requests are all counted.
fn requests(reply: &HotKeysReply) -> Vec<(&str, &str, i64)> {
    assert!(reply.hottest.iter().all(|hot| hot.error == 0), "{reply:?}");
    let each = reply.hottest.iter();
    each.map(|hot| (&*hot.namespace, &*hot.key, hot.requests)).collect()
}

async fn the_hottest_keys_are_named_with_their_requests(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let empty = hot(&mut second, 0).await;
    assert!(empty.hottest.is_empty() && empty.largest.is_empty() && empty.requests == 0);
    assert!(empty.process_id > 0);
    for number in 0..20 {
        let name = format!("k:{number:02}");
        for _ in 0..=number {
            cache.get(within("team", key(&name))).await.unwrap();
        }
    }
    cache.get(key("k:19")).await.unwrap();
    let reply = hot(&mut second, 3).await;
    let expected = [("team", "k:19", 20), ("team", "k:18", 19), ("team", "k:17", 18)];
    assert_eq!(requests(&reply), expected);
    assert_eq!((reply.requests, reply.process_id), (211, empty.process_id));
    assert!((0..=65_000).contains(&reply.span_ms), "{reply:?}");
    assert_eq!(hot(&mut second, 0).await.hottest.len(), 10);
    assert_eq!(hot(&mut second, 50).await.hottest.len(), 21);
}

async fn every_rpc_with_a_key_is_a_request_of_it(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    cache.set(item("k", "1")).await.unwrap();
    cache.set_if_absent(item("k", "1")).await.unwrap();
    cache.compare_and_set(swap("k", "1", "2")).await.unwrap();
    cache.get(key("k")).await.unwrap();
    cache.multi_get(keys(["k", "k"])).await.unwrap();
    cache.multi_set(items([item("k", "3")])).await.unwrap();
    cache.multi_delete(keys(["k"])).await.unwrap();
    cache.delete(key("k")).await.unwrap();
    assert_eq!(requests(&hot(&mut second, 0).await), [("", "k", 9)]);
    second
        .add(AddRequest { key: "k".to_owned(), delta: 1, ..AddRequest::default() })
        .await
        .unwrap();
    second.read(read("k")).await.unwrap();
    second.write(write("k", "v")).await.unwrap();
    second.remove(remove("k", None)).await.unwrap();
    // A lease is no entry.
    let release = ReleaseRequest { key: "k".to_owned(), lease_token: 7 };
    second.release(release).await.unwrap();
    assert_eq!(requests(&hot(&mut second, 0).await), [("", "k", 13)]);
}

async fn the_largest_values_are_named(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    for number in 1..=60 {
        let name = format!("k:{number}");
        second.write(within("team", write(name, vec![7; number * 100]))).await.unwrap();
    }
    cache.set(item("k:7", vec![7; 1000])).await.unwrap();
    let largest = hot(&mut second, 2).await.largest;
    let each = largest.iter().map(|large| (&*large.namespace, &*large.key, large.value_bytes));
    assert_eq!(each.collect::<Vec<_>>(), [("team", "k:60", 6000), ("team", "k:59", 5900)]);
    assert_eq!(hot(&mut second, 50).await.largest.len(), 50);
}

async fn what_is_no_number_of_keys_is_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    for limit in [-1, 51] {
        let refused = second.hot_keys(HotKeysRequest { limit }).await.unwrap_err();
        let message = format!("limit is {limit}: it is 1 to 50, or 0 for 10");
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, message.as_str()));
    }
}
