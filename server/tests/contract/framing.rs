//! What is wrong with a message is its caller's mistake: INVALID_ARGUMENT, with words that say
//! what it is. INTERNAL is for faults of the server, which alerts count.

use bytes::Bytes;
use prost::Message;
use tiny_cache_proto::cache::CacheValue;
use tonic::Code;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
};

use crate::support::{
    Deployment,
    http::sample,
    messages::{Call, every_call, item, key},
    wire::{Reply, Wire, call, framed},
};

const GET: &str = "/cache.CacheService/Get";
const SET: &str = "/cache.CacheService/Set";
const CHECK: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

crate::rows![
    a_call_without_a_message_is_its_callers_mistake,
    bytes_that_are_no_message_are_refused,
    a_frame_that_is_none_is_refused,
    a_call_has_one_message,
    a_length_beyond_the_limit_is_resource_exhausted,
    a_message_may_come_in_any_pieces,
    a_stream_has_any_number_of_messages,
    callers_mistakes_are_no_errors_of_the_server,
];

async fn refused(wire: &mut Wire, path: &str, body: &[u8]) -> Reply {
    let pieces = [Bytes::copy_from_slice(body)];
    let reply = wire.send(call(path), &pieces, None).await.unwrap().reply().await.unwrap();
    assert_eq!(reply.code(), Code::InvalidArgument, "{path} {body:?}: {reply:?}");
    assert_ne!(reply.status.message(), "", "{path} {body:?}");
    reply
}

/// An HTTP check of haproxy sends no body; `curl` may send an empty one.
async fn a_call_without_a_message_is_its_callers_mistake(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let mut paths: Vec<_> = every_call().iter().map(Call::path).collect();
    paths.extend([CHECK, "/grpc.health.v1.Health/Watch"].map(str::to_owned));
    for path in &paths {
        for pieces in [&[][..], &[Bytes::new()], &[Bytes::new(), Bytes::new()]] {
            let sent = wire.send(call(path), pieces, None).await.unwrap();
            let status = sent.reply().await.unwrap().status;
            assert_eq!(status.code(), Code::InvalidArgument, "{path}");
            assert_eq!(status.message(), "The call has no message", "{path}");
        }
    }
}

async fn bytes_that_are_no_message_are_refused(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let good = Call::new("Get", &key("k"));
    let bad: [(&[u8], &str); 9] = [
        (b"\x0a\xff", "a length that is cut short"),
        (b"\x0a\x05k", "a field that is shorter than its length"),
        (b"\x0f", "a wire type that is not defined"),
        (b"\x08\x01", "a number in place of text"),
        (b"\x0a\x02\xff\xfe", "text that is not UTF-8"),
        (b"\x0b", "a group that does not end"),
        (b"\x02\x01k", "field 0"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a length that is too long"),
        (b"{\"key\": \"k\"}", "JSON"),
    ];
    for (message, what) in bad {
        for path in [GET, CHECK, REFLECTION] {
            let reply = refused(&mut wire, path, &framed(false, message)).await;
            assert!(reply.status.message().contains("decode"), "{what}: {reply:?}");
        }
        // The connection goes on.
        let reply = wire.call(&good.path(), &[], &good.message).await.unwrap();
        assert_eq!(reply.code(), Code::Ok, "after {what}");
    }
}

async fn a_frame_that_is_none_is_refused(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let good = framed(false, &key("k").encode_to_vec());
    for path in [GET, CHECK, REFLECTION] {
        for cut in 1..good.len() {
            refused(&mut wire, path, &good[..cut]).await;
        }
        for flag in [2, 3, b'G', 128, 255] {
            let mut flagged = good.to_vec();
            flagged[0] = flag;
            let reply = refused(&mut wire, path, &flagged).await;
            assert!(reply.status.message().contains(&format!("flag {flag}")), "{reply:?}");
        }
    }
}

async fn a_call_has_one_message(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let first = framed(false, &item("k", "first").encode_to_vec());
    let second = framed(false, &item("k", "second").encode_to_vec());
    for surplus in [&second[..], &second[..7], &second[..2], b"\0", &[0; 5]] {
        refused(&mut wire, SET, &[&first, surplus].concat()).await;
        let pieces = [first.clone(), Bytes::copy_from_slice(surplus)];
        let reply = wire.send(call(SET), &pieces, None).await.unwrap().reply().await.unwrap();
        assert_eq!(reply.code(), Code::InvalidArgument, "{surplus:?}");
    }
    let get = Call::new("Get", &key("k"));
    let reply = wire.call(&get.path(), &[], &get.message).await.unwrap();
    assert!(!reply.decoded::<CacheValue>().found, "what was refused is not carried out");
}

async fn a_length_beyond_the_limit_is_resource_exhausted(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "1000")]);
    let mut wire = site.wire().await;
    // The last two would be negative as numbers of 32 bits.
    for (path, limit) in [(GET, 4 << 20), (CHECK, 4 << 10)] {
        for len in [limit + 1, i32::MAX as u32, 1 << 31, u32::MAX] {
            let body = Bytes::from([&[0][..], &len.to_be_bytes(), b"some of it"].concat());
            let sent = wire.send(call(path), &[body], None).await.unwrap();
            let reply = sent.reply().await.unwrap();
            assert_eq!(reply.code(), Code::ResourceExhausted, "{path} {len} {reply:?}");
            assert!(reply.status.message().contains(&len.to_string()), "{reply:?}");
        }
    }
}

async fn a_message_may_come_in_any_pieces(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let body = framed(false, &key("k").encode_to_vec());
    for size in 1..body.len() {
        let pieces: Vec<_> = body.chunks(size).map(Bytes::copy_from_slice).collect();
        let between = vec![Bytes::new(); pieces.len()];
        let pieces: Vec<_> = pieces.into_iter().zip(between).flat_map(|(a, b)| [a, b]).collect();
        let reply = wire.send(call(GET), &pieces, None).await.unwrap().reply().await.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{size}: {reply:?}");
    }
}

async fn a_stream_has_any_number_of_messages(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let question = framed(false, &question.encode_to_vec());
    for questions in 0..4 {
        let body = Bytes::from(question.repeat(questions));
        let sent = wire.send(call(REFLECTION), &[body], None).await.unwrap();
        let reply = sent.reply().await.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{questions}");
        let mut left = reply.body;
        for _ in 0..questions {
            let len = u32::from_be_bytes(left[1..5].try_into().unwrap()) as usize;
            ServerReflectionResponse::decode(&left.split_to(5 + len)[5..]).unwrap();
        }
        assert!(left.is_empty());
    }
}

async fn callers_mistakes_are_no_errors_of_the_server(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    refused(&mut wire, GET, b"").await;
    refused(&mut wire, GET, b"\0").await;
    refused(&mut wire, GET, b"\0\0\0\0\x01\xff").await;
    let page = site.http("/metrics").await.body;
    let counted = |code: &str| {
        let labels = [
            "rpc_method=\"cache.CacheService/Get\"".to_owned(),
            format!("rpc_response_status_code=\"{code}\""),
        ];
        page.lines()
            .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"))
            .find(|line| labels.iter().all(|label| line.contains(label)))
            .and_then(|line| line.rsplit_once(' '))
            .map(|(_, count)| count.to_owned())
    };
    assert_eq!(counted("INVALID_ARGUMENT").as_deref(), Some("3"), "{page}");
    assert_eq!(counted("INTERNAL").as_deref().unwrap_or("0"), "0");
    assert_eq!(sample(&page, "tiny_cache_active_requests"), Some(0.0));
}
