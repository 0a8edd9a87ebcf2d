//! Limits with clear answers: messages, batches, streams, connections,
//! handshakes; and compressed requests, which must not get around them.

use std::time::{Duration, Instant};

use prost::Message;
use tiny_cache_proto::cache::{CacheKey, CacheStatus};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::timeout,
};
use tonic::{Code, codec::CompressionEncoding};

use crate::support::{
    Cache, Deployment, Site,
    http::sample,
    messages::{Call, batch_calls, item, items, key, keys},
};

const MIB: usize = 1 << 20;

/// What a client says first on HTTP/2: the preface, and empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Long enough that only a server that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(10);

crate::rows![
    the_largest_message_follows_from_the_largest_value,
    a_batch_holds_10000_items_unless_set,
    the_limit_on_a_batch_is_a_setting,
    a_multi_get_answers_the_items_that_fit_the_reply,
    a_connection_too_many_is_closed_at_once_and_counted,
    the_limit_on_streams_is_advertised,
    a_handshake_that_never_comes_is_given_up,
    a_connection_outlives_the_handshake_timeout,
    many_large_writes_at_once_on_one_connection_all_arrive,
    a_connection_that_stalls_does_not_hold_up_the_large_writes_of_another,
    compressed_requests_are_accepted,
    a_compressed_message_is_as_large_as_what_it_unpacks_to,
];

async fn the_largest_message_follows_from_the_largest_value(on: Deployment) {
    // max(4 MiB, 2 * value + 1 MiB)
    for (largest_value, limit) in
        [("1000", 4 * MIB), ("1572864", 4 * MIB), ("1572865", 4 * MIB + 2), ("4194304", 9 * MIB)]
    {
        let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", largest_value)]);
        let mut wire = site.wire().await;
        let mut get = async |message: Vec<u8>| {
            let reply = wire.call("/cache.CacheService/Get", &[], &message).await;
            reply.unwrap().status
        };
        // A message that fits is read, and then found to hold too long a key.
        let status = get(message(limit)).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{largest_value}");
        assert_eq!(status.message(), "Key is too long (max 256)");
        let status = get(message(limit + 1)).await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{largest_value}");
        // The connection goes on.
        let status = get(key("k").encode_to_vec()).await;
        assert_eq!(status.code(), Code::Ok);
    }
}

/// A `CacheKey` that takes exactly `length` bytes.
fn message(length: usize) -> Vec<u8> {
    // One byte of tag, four of length.
    let message = key("k".repeat(length - 5)).encode_to_vec();
    assert_eq!(message.len(), length);
    message
}

async fn a_batch_holds_10000_items_unless_set(on: Deployment) {
    a_batch_holds(10_000, on, &[]).await;
}

async fn the_limit_on_a_batch_is_a_setting(on: Deployment) {
    a_batch_holds(37, on, &[("CACHE_MAX_BATCH_ITEMS", "37")]).await;
}

async fn a_batch_holds(limit: usize, on: Deployment, vars: &[(&str, &str)]) {
    let site = on.start_with(vars);
    let mut wire = site.wire().await;
    let mut names: Vec<String> = (0..limit).map(|n| n.to_string()).collect();
    for call in batch_calls(&names) {
        let reply = wire.call(&call.path(), &[], &call.message).await.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{}", call.rpc);
    }
    names.push("one more".to_owned());
    for call in batch_calls(&names) {
        let reply = wire.call(&call.path(), &[], &call.message).await.unwrap();
        assert_eq!(reply.code(), Code::InvalidArgument, "{}", call.rpc);
        let told = reply.status.message();
        assert!(told.contains(&limit.to_string()), "{}: {told}", call.rpc);
    }
    // Nothing of the batch that was refused has been done.
    let mut cache = site.connect().await;
    let found = cache.get(key("one more")).await.unwrap();
    assert!(!found.found);
}

async fn a_multi_get_answers_the_items_that_fit_the_reply(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "1048576")]);
    // Takes no more than the server's own limit.
    let mut cache = site.connect().await.with(|client| client.max_decoding_message_size(4 * MIB));
    for name in ["a", "b", "c", "d", "e"] {
        let large = item(name, name.repeat(MIB));
        cache.set(large).await.unwrap();
    }
    cache.set(item("small", "v")).await.unwrap();

    let asked = ["a", "absent", "b", "c", "d", "", "e", "small", "a"];
    let got = cache.multi_get(keys(asked)).await.unwrap();
    let told: Vec<&str> = got.items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(told, asked);
    for item in &got.items {
        match item.key.as_str() {
            "a" | "b" | "c" | "d" | "e" if item.found => {
                assert!(item.value == item.key.repeat(MIB));
                assert_eq!(item.error, "");
            }
            "a" | "b" | "c" | "d" | "e" => {
                assert!(item.value.is_empty());
                assert!(!item.error.is_empty());
            }
            "small" => assert_eq!(item.value, "v"),
            "absent" => assert_eq!((item.found, item.error.as_str()), (false, "")),
            _ => assert_eq!(item.error, "Key cannot be empty"),
        }
    }
    // Three of 1 MiB fit into 4 MiB, with what is around them; four do not.
    let large = got.items.iter().filter(|item| item.value.len() == MIB);
    assert_eq!(large.count(), 3);
}

async fn a_connection_too_many_is_closed_at_once_and_counted(on: Deployment) {
    const REFUSED: &str = "tiny_cache_connections_refused_total";
    let site = on.start_with(&[("CACHE_MAX_CONNECTIONS", "2")]);
    let call = Call::new("Get", &key("k"));
    let mut first = site.wire().await;
    let mut second = site.wire().await;
    for wire in [&mut first, &mut second] {
        let reply = wire.call(&call.path(), &[], &call.message).await;
        assert_eq!(reply.unwrap().code(), Code::Ok);
    }
    assert_eq!(sample(&site.http("/metrics").await.body, REFUSED), Some(0.0));

    // Plain in every deployment: it is closed before anything is said.
    let mut third = tokio::net::TcpStream::connect(site.grpc_addr()).await.unwrap();
    let mut said = Vec::new();
    let closed = timeout(PATIENCE, third.read_to_end(&mut said)).await;
    let _ = closed.expect("the connection too many is closed");
    assert_eq!(said, b"");
    assert_eq!(sample(&site.http("/metrics").await.body, REFUSED), Some(1.0));

    // The others go on, and a place that is left can be taken.
    let reply = first.call(&call.path(), &[], &call.message).await;
    assert_eq!(reply.unwrap().code(), Code::Ok);
    drop(second);
    let give_up = Instant::now() + PATIENCE;
    while !is_served(&site).await {
        assert!(Instant::now() < give_up, "the place is not free again");
    }
}

/// Whether a new connection is taken and answered.
async fn is_served(site: &Site) -> bool {
    let Ok(channel) = site.try_channel().await else {
        return false;
    };
    Cache::new(channel).get(key("k")).await.is_ok()
}

async fn the_limit_on_streams_is_advertised(on: Deployment) {
    for (vars, limit) in [([].as_slice(), 256), (&[("CACHE_MAX_CONCURRENT_STREAMS", "7")], 7)] {
        let site = on.start_with(vars);
        let mut stream = site.stream().await;
        stream.write_all(PREFACE).await.unwrap();
        stream.flush().await.unwrap();
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(head[3], 0x4, "the first frame is SETTINGS");
        let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        stream.read_exact(&mut settings).await.unwrap();
        let streams = settings
            .chunks(6)
            .find(|setting| setting[..2] == [0, 3])
            .map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()));
        assert_eq!(streams, Some(limit));
    }
}

/// Large messages wait for their turn to be read. What waited once held the whole window of
/// its connection, so that the message whose turn it was could not arrive either.
async fn many_large_writes_at_once_on_one_connection_all_arrive(on: Deployment) {
    let site = on.start();
    let cache = site.connect().await;
    let mut writes = JoinSet::new();
    for i in 0..48 {
        let mut cache = cache.clone();
        writes.spawn(async move {
            let value = vec![i; MIB];
            cache.set(item(format!("large {i}"), value)).await.unwrap();
            // A small request goes past those that wait.
            cache.get(key("small")).await.unwrap();
        });
    }
    timeout(PATIENCE, writes.join_all()).await.unwrap();
}

/// The share of a large message goes by the length that it says it has. A peer that said
/// four megabytes on several streams, and sent nine bytes on each, once kept all others
/// waiting for 20 s and more.
async fn a_connection_that_stalls_does_not_hold_up_the_large_writes_of_another(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_MEMORY_MB", "64")]);
    let mut stalling = site.wire().await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let mut begun = vec![0];
        begun.extend(4_000_000u32.to_be_bytes());
        begun.extend([0x0a, 0x01, b'k', 0x12]);
        stalled.push(stalling.stall("/cache.CacheService/Set", begun.into()).await.unwrap());
    }
    stalling.ping().await.unwrap();
    let mut cache = site.connect().await;
    let large = item("large", vec![7; MIB]);
    timeout(PATIENCE, cache.set(large)).await.unwrap().unwrap();
}

async fn a_handshake_that_never_comes_is_given_up(on: Deployment) {
    let site = on.start_with(&[("CACHE_HANDSHAKE_TIMEOUT_SECONDS", "1")]);
    let mut waiting = tokio::task::JoinSet::new();
    // Nothing at all, and a greeting that stops in the middle; and with TLS
    // also a session on which HTTP/2 never begins.
    let plain = || tokio::net::TcpStream::connect(site.grpc_addr());
    let half: &[u8] = if on.is_tls() { b"\x16\x03\x01\x02\x00" } else { &PREFACE[..10] };
    let openings: [(Box<dyn crate::support::wire::Stream>, &[u8]); 3] = [
        (Box::new(plain().await.unwrap()), b""),
        (Box::new(plain().await.unwrap()), half),
        (site.stream().await, b""),
    ];
    let opened = Instant::now();
    for (mut stream, said) in openings {
        stream.write_all(said).await.unwrap();
        stream.flush().await.unwrap();
        waiting.spawn(async move {
            let mut answer = Vec::new();
            // SETTINGS or a TLS alert may come; then the end must.
            let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
                .await
                .expect("the server gives up");
            opened.elapsed()
        });
    }
    while let Some(elapsed) = waiting.join_next().await {
        let elapsed = elapsed.unwrap();
        assert!(elapsed > Duration::from_millis(900), "{elapsed:?}");
    }
}

async fn a_connection_outlives_the_handshake_timeout(on: Deployment) {
    let site = on.start_with(&[("CACHE_HANDSHAKE_TIMEOUT_SECONDS", "1")]);
    let call = Call::new("Get", &key("k"));
    let mut used = site.wire().await;
    let mut unused = site.wire().await;
    let reply = used.call(&call.path(), &[], &call.message).await;
    assert_eq!(reply.unwrap().code(), Code::Ok);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for wire in [&mut used, &mut unused] {
        let reply = wire.call(&call.path(), &[], &call.message).await;
        assert_eq!(reply.unwrap().code(), Code::Ok);
    }
}

async fn compressed_requests_are_accepted(on: Deployment) {
    let site = on.start();
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Deflate] {
        let mut cache = site.connect().await.with(|client| client.send_compressed(encoding));
        let value = "compressible ".repeat(10_000);
        cache.set(item("k", value.clone())).await.unwrap();
        let batch = items([item("a", "1"), item("b", "2")]);
        let set = cache.multi_set(batch).await.unwrap();
        assert!(set.items.iter().all(|set| set.status() == CacheStatus::Ok));
        // Whoever takes compressed replies may get them, and nobody else.
        let mut either = site.connect().await.with(|client| client.accept_compressed(encoding));
        for cache in [&mut cache, &mut either] {
            let found = cache.get(key("k")).await.unwrap();
            assert!(found.value == value);
        }
    }
}

async fn a_compressed_message_is_as_large_as_what_it_unpacks_to(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "1000")]);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Deflate] {
        let mut cache = site.connect().await.with(|client| client.send_compressed(encoding));
        // 64 MiB that travel as some 64 KiB.
        let packed = CacheKey { key: "k".repeat(64 * MIB) };
        let error = cache.get(packed).await.unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted, "{error:?}");
    }
}
