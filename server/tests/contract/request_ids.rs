//! Row `request id`: taken over or made, and sent back with every reply: in the
//! initial metadata where there is a message, else in the one block that an error
//! is made of.

use std::collections::HashSet;

use prost::Message;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;

use crate::support::{
    Deployment,
    http::Http,
    messages::{Call, batch_calls, every_call, single_calls},
};

const ID: &str = "x-request-id";

crate::rows![
    a_given_id_comes_back_from_every_rpc,
    an_error_is_one_block_that_carries_the_given_id,
    an_id_is_made_when_none_is_given,
    an_id_that_cannot_be_used_is_replaced,
    services_beside_the_cache_send_ids_too,
    every_http_response_carries_an_id,
];

async fn a_given_id_comes_back_from_every_rpc(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    for call in every_call() {
        let id = format!("id of {}", call.rpc);
        let metadata = [(ID, id.as_bytes())];
        let reply = wire.call(&call.path(), &metadata, &call.message).await;
        let reply = reply.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{}", call.rpc);
        assert_eq!(reply.initial(ID), Some(id.as_str()), "{}", call.rpc);
    }
}

/// gRPC's and Envoy's retry policies repeat no error that came behind headers of its own,
/// and Java, Ruby and betterproto read an error's metadata in its last block alone.
async fn an_error_is_one_block_that_carries_the_given_id(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_BATCH_ITEMS", "1"), ("CACHE_MAX_VALUE_BYTES", "1")]);
    let mut wire = site.wire().await;
    // Refused for the key, for the value, for the batch's length, for the
    // message's length, for what it says, and because there is no such method.
    let mut calls = single_calls("");
    calls.push(Call { rpc: "Set", message: single_calls(&"k".repeat(257))[1].message.clone() });
    calls.extend(batch_calls(&["a".to_owned(), "b".to_owned()]));
    calls.push(Call { rpc: "Get", message: vec![0; 5 << 20] });
    calls.push(Call { rpc: "Get", message: vec![0xff; 3] });
    calls.push(Call { rpc: "NoSuchMethod", message: Vec::new() });
    let mut refused: Vec<_> = calls.into_iter().map(|call| (call.path(), call.message)).collect();
    let unknown = HealthCheckRequest { service: "no.such.Service".to_owned() }.encode_to_vec();
    for rpc in ["Check", "Watch", "NoSuchMethod"] {
        refused.push((format!("/grpc.health.v1.Health/{rpc}"), unknown.clone()));
    }
    let reflection = "/grpc.reflection.v1.ServerReflection";
    refused.push((format!("{reflection}/NoSuchMethod"), Vec::new()));
    refused.push(("/no.such.Service/Method".to_owned(), Vec::new()));
    for (path, message) in refused {
        let reply = wire.call(&path, &[(ID, b"mine")], &message).await.unwrap();
        assert_ne!(reply.code(), Code::Ok, "{path}");
        assert_eq!(reply.initial(ID), Some("mine"), "{path} {reply:?}");
        assert!(reply.headers_ended_it, "{path} {reply:?}");
    }
}

async fn an_id_is_made_when_none_is_given(on: Deployment) {
    let site = on.start();
    let mut made = HashSet::new();
    for _ in 0..4 {
        let mut wire = site.wire().await;
        for call in every_call().into_iter().chain(single_calls("")) {
            for metadata in [[(ID, b"".as_slice())].as_slice(), &[]] {
                let reply = wire.call(&call.path(), metadata, &call.message).await;
                let reply = reply.unwrap();
                let id = reply.initial(ID).unwrap_or_default().to_owned();
                assert!(!id.is_empty(), "{}", call.rpc);
                assert!(made.insert(id.clone()), "{id} was made twice");
            }
        }
    }
}

/// Echoed back, 12 KiB made gRPC's core refuse replies at random.
async fn an_id_that_cannot_be_used_is_replaced(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let longest = "x".repeat(128);
    for call in every_call().into_iter().chain(single_calls("")) {
        let metadata = [(ID, longest.as_bytes())];
        let reply = wire.call(&call.path(), &metadata, &call.message).await.unwrap();
        assert_eq!(reply.initial(ID), Some(longest.as_str()), "{}", call.rpc);
        for given in ["x".repeat(129), "x".repeat(12 << 10), "idé".to_owned(), "\t".to_owned()] {
            let metadata = [(ID, given.as_bytes())];
            let reply = wire.call(&call.path(), &metadata, &call.message).await.unwrap();
            let id = reply.initial(ID).unwrap_or_default();
            assert!((1..=128).contains(&id.len()), "{}: {id}", call.rpc);
            assert_ne!(id, given, "{}", call.rpc);
        }
    }
}

async fn services_beside_the_cache_send_ids_too(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    for path in ["/grpc.health.v1.Health/Check", "/no.such.Service/Method", "/"] {
        let reply = wire.call(path, &[(ID, b"mine")], &[]).await.unwrap();
        assert_eq!(reply.initial(ID), Some("mine"), "{path}");
        let reply = wire.call(path, &[], &[]).await.unwrap();
        assert!(reply.initial(ID).is_some(), "{path}");
    }
}

async fn every_http_response_carries_an_id(on: Deployment) {
    let site = on.start();
    let mut http = Http::connect(site.http_addr()).await.unwrap();
    let mut made = HashSet::new();
    for path in ["/health", "/ready", "/live", "/stats", "/metrics", "/", "/absent"] {
        let response = http.send("GET", path, &[(ID, "mine")]).await.unwrap();
        assert_eq!(response.header(ID), Some("mine"), "{path}");
        let response = http.get(path).await.unwrap();
        let id = response.header(ID).unwrap_or_default().to_owned();
        assert!(!id.is_empty(), "{path}");
        assert!(made.insert(id), "{path}");
        let response = http.send("GET", path, &[(ID, &"x".repeat(129))]).await.unwrap();
        assert!(response.header(ID).is_some_and(|id| id.len() <= 128), "{path}");
    }
}
