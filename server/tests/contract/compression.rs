//! Compressed requests: gzip with all of its members, and deflate, on every service. The limit
//! on what they unpack to is in `limits`.

use std::io::Write;

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use prost::Message;
use tiny_cache_proto::cache::CacheValue;
use tonic::Code;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_request::MessageRequest,
};

use crate::support::{
    Deployment,
    messages::{Call, item, key},
    wire::{Reply, Wire, call, framed},
};

const SET: &str = "/cache.CacheService/Set";
const ENCODING: &str = "grpc-encoding";

crate::rows![
    a_message_of_several_gzip_members_is_read_to_its_end,
    a_message_with_bytes_that_belong_to_nothing_is_refused,
    a_message_with_a_wrong_checksum_is_refused,
    a_message_that_is_flagged_and_empty_is_an_empty_message,
    a_flagged_message_without_a_coding_is_its_callers_mistake,
    a_message_that_is_not_flagged_is_not_unpacked,
    an_unknown_coding_is_unimplemented_with_the_known_ones,
    every_service_takes_compressed_messages,
];

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(data).unwrap();
    packer.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(data).unwrap();
    packer.finish().unwrap()
}

type Pack = fn(&[u8]) -> Vec<u8>;

fn packers() -> [(&'static str, Pack); 2] {
    [("gzip", gzip), ("deflate", deflate)]
}

/// Sends a body that has its prefix already.
async fn send(wire: &mut Wire, path: &str, coding: &str, body: impl Into<Bytes>) -> Reply {
    let mut request = call(path);
    request.headers_mut().insert(ENCODING, coding.parse().unwrap());
    wire.send(request, &[body.into()], None).await.unwrap().reply().await.unwrap()
}

async fn value(wire: &mut Wire, name: &str) -> CacheValue {
    let get = Call::new("Get", &key(name));
    wire.call(&get.path(), &[], &get.message).await.unwrap().decoded()
}

/// Everything behind the first member was lost once, and the call was OK.
async fn a_message_of_several_gzip_members_is_read_to_its_end(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let text = "some value ".repeat(1000);
    let message = item("k", text.clone()).encode_to_vec();
    for cut in [0, 1, message.len() / 2, message.len()] {
        let packed = [gzip(&message[..cut]), gzip(b""), gzip(&message[cut..])].concat();
        let reply = send(&mut wire, SET, "gzip", framed(true, &packed)).await;
        assert_eq!(reply.code(), Code::Ok, "{cut} {reply:?}");
        assert!(value(&mut wire, "k").await.value == text, "{cut}");
    }
}

async fn refused(wire: &mut Wire, coding: &str, packed: &[u8]) {
    let reply = send(wire, SET, coding, framed(true, packed)).await;
    assert_eq!(reply.code(), Code::InvalidArgument, "{coding} {reply:?}");
    assert!(reply.status.message().contains(coding), "{reply:?}");
    assert!(!value(wire, "k").await.found);
}

async fn a_message_with_bytes_that_belong_to_nothing_is_refused(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let message = item("k", "v").encode_to_vec();
    for (coding, pack) in packers() {
        let packed = pack(&message);
        for surplus in [&b"\0"[..], &[0; 600], b"x", b"surplus, and more of it", &packed[..5]] {
            refused(&mut wire, coding, &[&packed, surplus].concat()).await;
        }
        for len in [1, packed.len() / 2, packed.len() - 1] {
            refused(&mut wire, coding, &packed[..len]).await;
        }
        refused(&mut wire, coding, &message).await;
    }
    let twice = [deflate(&message), deflate(&message)].concat();
    refused(&mut wire, "deflate", &twice).await;
    refused(&mut wire, "deflate", &gzip(&message)).await;
    refused(&mut wire, "gzip", &deflate(&message)).await;
}

async fn a_message_with_a_wrong_checksum_is_refused(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let message = item("k", "v").encode_to_vec();
    for ((coding, pack), trailer) in packers().into_iter().zip([8, 4]) {
        let packed = pack(&message);
        for byte in packed.len() - trailer..packed.len() {
            let mut packed = packed.clone();
            packed[byte] ^= 0x10;
            refused(&mut wire, coding, &packed).await;
        }
    }
}

/// .NET 9 sends this for a message without fields.
async fn a_message_that_is_flagged_and_empty_is_an_empty_message(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    for (coding, pack) in packers() {
        for body in [framed(true, b""), framed(true, &pack(b""))] {
            let reply = send(&mut wire, "/cache.CacheService/Stats", coding, body).await;
            assert_eq!(reply.code(), Code::Ok, "{coding} {reply:?}");
        }
        let reply = send(&mut wire, SET, coding, framed(true, b"")).await;
        assert_eq!(reply.status.message(), "Key cannot be empty", "{coding}");
    }
}

async fn a_flagged_message_without_a_coding_is_its_callers_mistake(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let packed = framed(true, &gzip(&item("k", "v").encode_to_vec()));
    let bare = wire.send(call(SET), std::slice::from_ref(&packed), None).await.unwrap();
    let mut replies = vec![bare.reply().await.unwrap()];
    for coding in ["identity", ""] {
        replies.push(send(&mut wire, SET, coding, packed.clone()).await);
    }
    for reply in replies {
        assert_eq!(reply.code(), Code::InvalidArgument, "{reply:?}");
        assert!(reply.status.message().contains(ENCODING), "{reply:?}");
    }
}

async fn a_message_that_is_not_flagged_is_not_unpacked(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let plain = framed(false, &item("k", "v").encode_to_vec());
    for coding in ["gzip", "deflate", "identity", ""] {
        let reply = send(&mut wire, SET, coding, plain.clone()).await;
        assert_eq!(reply.code(), Code::Ok, "{coding:?} {reply:?}");
    }
}

async fn an_unknown_coding_is_unimplemented_with_the_known_ones(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let plain = framed(false, &item("k", "v").encode_to_vec());
    for path in [SET, "/grpc.health.v1.Health/Check"] {
        for coding in ["zstd", "snappy", "br", "GZIP", "gzip, identity", "x-gzip"] {
            let reply = send(&mut wire, path, coding, plain.clone()).await;
            assert_eq!(reply.code(), Code::Unimplemented, "{coding} {reply:?}");
            assert!(reply.status.message().contains(coding), "{reply:?}");
            assert_eq!(reply.initial("grpc-accept-encoding"), Some("identity,deflate,gzip"));
        }
    }
}

async fn every_service_takes_compressed_messages(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let listing = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    for (coding, pack) in packers() {
        for (path, message) in [
            ("/grpc.health.v1.Health/Check", Vec::new()),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", listing.encode_to_vec()),
        ] {
            let reply = send(&mut wire, path, coding, framed(true, &pack(&message))).await;
            assert_eq!(reply.code(), Code::Ok, "{path} {coding} {reply:?}");
            assert!(reply.message.is_some(), "{path} {coding}");
        }
    }
}
