//! Row `key`: 1 to 256 characters, and the exact answers to others.

use tonic::Code;

use crate::support::{
    Deployment,
    messages::{item, key, single_calls},
};

crate::rows![
    a_key_has_up_to_256_characters_of_any_width,
    a_key_is_taken_as_it_stands,
    every_rpc_refuses_an_empty_key,
    every_rpc_refuses_a_key_of_257_characters,
];

async fn a_key_has_up_to_256_characters_of_any_width(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    // One, two, three and four bytes a character.
    for character in ["k", "é", "鍵", "🗝"] {
        for length in [1, 255, 256] {
            let name = character.repeat(length);
            cache.set(item(&name, name.clone())).await.unwrap();
            let found = cache.get(key(&name)).await.unwrap();
            assert!(found.found, "{length} times {character}");
            assert_eq!(found.value, name);
        }
    }
}

async fn a_key_is_taken_as_it_stands(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    // Neither trimmed, nor folded, nor normalised, nor cut at a zero byte.
    let names =
        ["a", "A", " a", "a ", " ", "\t", "a\0", "a\0b", "é", "e\u{301}", "{a}", "a/b", "*"];
    for name in names {
        cache.set(item(name, format!("value of {name:?}"))).await.unwrap();
    }
    for name in names {
        let found = cache.get(key(name)).await.unwrap();
        assert_eq!(found.value, format!("value of {name:?}"));
    }
}

async fn every_rpc_refuses_an_empty_key(on: Deployment) {
    every_rpc_refuses("", "Key cannot be empty", on).await;
}

async fn every_rpc_refuses_a_key_of_257_characters(on: Deployment) {
    every_rpc_refuses(&"k".repeat(257), "Key is too long (max 256)", on).await;
    every_rpc_refuses(&"🗝".repeat(257), "Key is too long (max 256)", on).await;
    every_rpc_refuses(&"k".repeat(100_000), "Key is too long (max 256)", on).await;
}

async fn every_rpc_refuses(name: &str, message: &str, on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    for call in single_calls(name) {
        let reply = wire.call(&call.path(), &[], &call.message).await.unwrap();
        assert_eq!(reply.code(), Code::InvalidArgument, "{}", call.rpc);
        assert_eq!(reply.status.message(), message, "{}", call.rpc);
    }
}
