//! Rows `namespace` and `namespaced key`.

use http::{HeaderMap, HeaderValue};
use prost::Message;
use tiny_cache_proto::cache::{CacheStatus, CacheValue, ConditionalCacheStatus};
use tonic::Code;

use crate::support::{
    Deployment,
    messages::{batch_calls, item, items, key, keys, single_calls, swap, within},
    wire::{call, framed},
};

const NAMESPACE: &str = "x-cache-namespace";

crate::rows![
    namespaces_are_keyspaces_of_their_own,
    every_rpc_stays_within_its_namespace,
    white_space_around_a_namespace_is_trimmed,
    a_blank_namespace_is_the_shared_keyspace,
    well_formed_namespaces_are_accepted,
    every_rpc_refuses_a_malformed_namespace,
    the_namespace_counts_in_the_length_of_the_key,
    in_a_batch_a_namespaced_key_that_is_too_long_is_the_items_error,
    a_plain_key_never_reaches_into_a_namespace,
    nothing_but_its_own_header_names_a_namespace,
];

async fn namespaces_are_keyspaces_of_their_own(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.set(item("k", "shared")).await.unwrap();
    for namespace in ["team", "Team", "te", "am", "team.k"] {
        let set = within(namespace, item("k", namespace.to_owned()));
        cache.set(set).await.unwrap();
    }
    for namespace in ["team", "Team", "te", "am", "team.k"] {
        let found = cache.get(within(namespace, key("k"))).await.unwrap();
        assert_eq!(found.value, namespace);
    }
    let found = cache.get(key("k")).await.unwrap();
    assert_eq!(found.value, "shared");
    let found = cache.get(within("another", key("k"))).await.unwrap();
    assert!(!found.found);
}

async fn every_rpc_stays_within_its_namespace(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.set(item("k", "shared")).await.unwrap();

    let stored = cache.set_if_absent(within("team", item("k", "one"))).await;
    let stored = stored.unwrap().status();
    assert_eq!(stored, ConditionalCacheStatus::Stored);
    let swapped = cache.compare_and_set(within("team", swap("k", "one", "two")));
    let swapped = swapped.await.unwrap().status();
    assert_eq!(swapped, ConditionalCacheStatus::Stored);
    let many = cache.multi_get(within("team", keys(["k"]))).await.unwrap();
    assert_eq!(many.items[0].value, "two");
    let many = cache.multi_set(within("team", items([item("k", "three")])));
    assert_eq!(many.await.unwrap().items[0].status(), CacheStatus::Ok);
    let found = cache.get(within("team", key("k"))).await.unwrap();
    assert_eq!(found.value, "three");
    cache.multi_delete(within("team", keys(["k"]))).await.unwrap();
    let found = cache.get(within("team", key("k"))).await.unwrap();
    assert!(!found.found);
    cache.set(within("team", item("k", "four"))).await.unwrap();
    cache.delete(within("team", key("k"))).await.unwrap();
    let found = cache.get(within("team", key("k"))).await.unwrap();
    assert!(!found.found);

    let found = cache.get(key("k")).await.unwrap();
    assert_eq!(found.value, "shared");
}

async fn white_space_around_a_namespace_is_trimmed(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let mut cache = site.connect().await;
    cache.set(within("team", item("k", "v"))).await.unwrap();
    // HTTP itself may trim some of it; the wire client sends it as it stands.
    for spelt in ["team", " team", "team ", "  team\t", "\tteam"] {
        let get = &single_calls("k")[0];
        let metadata = [(NAMESPACE, spelt.as_bytes())];
        let reply = wire.call(&get.path(), &metadata, &get.message).await;
        let reply = reply.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{spelt:?}");
        let found: tiny_cache_proto::cache::CacheValue = reply.decoded();
        assert_eq!(found.value, "v", "{spelt:?}");
    }
}

async fn a_blank_namespace_is_the_shared_keyspace(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let mut cache = site.connect().await;
    cache.set(item("k", "shared")).await.unwrap();
    for blank in ["", " ", "  \t "] {
        let get = &single_calls("k")[0];
        let metadata = [(NAMESPACE, blank.as_bytes())];
        let reply = wire.call(&get.path(), &metadata, &get.message).await;
        let found: tiny_cache_proto::cache::CacheValue = reply.unwrap().decoded();
        assert_eq!(found.value, "shared", "{blank:?}");
    }
}

async fn well_formed_namespaces_are_accepted(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let longest = "n".repeat(64);
    for namespace in ["a", "Z", "7", "a.", "a_", "a-", "0.1_2-3", "v1..--__", &longest] {
        let set = within(namespace, item("k", "v"));
        cache.set(set).await.unwrap_or_else(|error| {
            panic!("{namespace:?} was refused: {error}");
        });
    }
}

async fn every_rpc_refuses_a_malformed_namespace(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let too_long = "n".repeat(65);
    let malformed: [&[u8]; 14] = [
        b".a",
        b"_a",
        b"-a",
        b"a b",
        b"a:b",
        b"a/b",
        b"a\tb",
        b"a,b",
        // As proxies join repeated headers.
        b"a, b",
        b"a,a",
        b"a*",
        "té".as_bytes(),
        b"a\xff",
        too_long.as_bytes(),
    ];
    let mut calls = single_calls("k");
    calls.extend(batch_calls(&["k".to_owned()]));
    // An empty batch has no item that could carry the error.
    calls.extend(batch_calls(&[]));
    for namespace in malformed {
        for call in &calls {
            let metadata = [(NAMESPACE, namespace)];
            let reply = wire.call(&call.path(), &metadata, &call.message).await;
            assert_eq!(
                reply.unwrap().code(),
                Code::InvalidArgument,
                "{} in namespace {}",
                call.rpc,
                namespace.escape_ascii()
            );
        }
    }
}

async fn the_namespace_counts_in_the_length_of_the_key(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let longest = "n".repeat(64);
    // `4:team:` takes 7 characters, `1:n:` takes 4, `64:` and the rest 68.
    for (namespace, left) in [("team", 249), ("n", 252), (&longest, 188)] {
        for character in ["k", "🗝"] {
            for call in single_calls(&character.repeat(left)) {
                let metadata = [(NAMESPACE, namespace.as_bytes())];
                let reply = wire.call(&call.path(), &metadata, &call.message).await;
                assert_eq!(reply.unwrap().code(), Code::Ok, "{namespace} {}", call.rpc);
            }
            for call in single_calls(&character.repeat(left + 1)) {
                let metadata = [(NAMESPACE, namespace.as_bytes())];
                let reply = wire.call(&call.path(), &metadata, &call.message).await;
                let status = reply.unwrap().status;
                assert_eq!(status.code(), Code::InvalidArgument, "{}", call.rpc);
                assert!(
                    status.message().starts_with("Namespaced key is too long"),
                    "{}: {status:?}",
                    call.rpc
                );
            }
        }
    }
}

async fn in_a_batch_a_namespaced_key_that_is_too_long_is_the_items_error(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let (fits, too_long) = ("k".repeat(249), "k".repeat(250));

    let set = items([item(&fits, "v"), item(&too_long, "v")]);
    let set = cache.multi_set(within("team", set)).await.unwrap();
    let set = set.items;
    assert_eq!(set[0].status(), CacheStatus::Ok);
    assert_eq!(set[1].status(), CacheStatus::Error);

    let got = cache.multi_get(within("team", keys([&fits, &too_long])));
    let got = got.await.unwrap().items;
    assert!(got[0].found);
    assert!(!got[1].found);

    let deleted = cache.multi_delete(within("team", keys([&fits, &too_long])));
    let deleted = deleted.await.unwrap().items;
    assert_eq!(deleted[0].status(), CacheStatus::Ok);
    assert_eq!(deleted[1].status(), CacheStatus::Error);

    for error in [&set[1].error, &got[1].error, &deleted[1].error] {
        assert!(error.starts_with("Namespaced key is too long"), "{error}");
    }
}

async fn a_plain_key_never_reaches_into_a_namespace(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    // As the original spells the entry `x` of namespace `team` inside.
    let spelt = "4:team:x";
    cache.set(within("team", item("x", "inside"))).await.unwrap();
    let found = cache.get(key(spelt)).await.unwrap();
    assert!(!found.found);

    cache.set(item(spelt, "plain")).await.unwrap();
    let found = cache.get(within("team", key("x"))).await.unwrap();
    assert_eq!(found.value, "inside");

    cache.delete(key(spelt)).await.unwrap();
    let found = cache.get(within("team", key("x"))).await.unwrap();
    assert!(found.found);
}

/// Trailers of a request once replaced its headers, and with them the namespace that a proxy
/// had set.
async fn nothing_but_its_own_header_names_a_namespace(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let mut cache = site.connect().await;
    cache.set(within("theirs", item("k", "secret"))).await.unwrap();
    cache.set(within("ours", item("k", "own"))).await.unwrap();
    let body = framed(false, &key("k").encode_to_vec());
    let theirs = HeaderValue::from_static("theirs");
    for name in [NAMESPACE, "x-cache-namespace-bin", "x_cache_namespace", "cache-namespace"] {
        let mut trailers = HeaderMap::new();
        trailers.insert(http::HeaderName::from_static(name), theirs.clone());
        for (namespace, value) in [(Some("ours"), "own"), (None, "")] {
            let mut request = call("/cache.CacheService/Get");
            if name != NAMESPACE {
                request.headers_mut().insert(name, theirs.clone());
            }
            if let Some(namespace) = namespace {
                request.headers_mut().insert(NAMESPACE, HeaderValue::from_static(namespace));
            }
            let sent = wire
                .send(request, std::slice::from_ref(&body), Some(trailers.clone()))
                .await
                .unwrap();
            let found: CacheValue = sent.reply().await.unwrap().decoded();
            assert_eq!(found.value, value, "{name} {namespace:?}");
        }
    }
}
