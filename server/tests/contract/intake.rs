//! Requests that arrive slowly, in pieces, late or not at all: what becomes of them, and that
//! they hold up nobody else.

use std::{future::poll_fn, task::Poll, time::Duration};

use bytes::Bytes;
use h2::{Reason, client::ResponseFuture};
use prost::Message;
use tiny_cache_proto::cache::MultiCacheValueResponse;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Status};

use crate::support::{
    Deployment, Site,
    messages::{Call, item, key, keys},
    wire::{Wire, framed},
};

const SET: &str = "/cache.CacheService/Set";
const MIB: usize = 1 << 20;

/// Long enough that only a server that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(10);

crate::rows![
    a_small_message_passes_beside_slow_ones_in_whatever_frames_it_comes,
    large_messages_pass_beside_ten_slow_uploads,
    a_message_that_fits_beside_a_slow_upload_does_not_wait,
    a_message_that_stalls_makes_room_for_one_that_waits,
    a_call_that_is_complete_after_its_deadline_is_not_carried_out,
    a_call_whose_time_is_over_at_once_is_not_carried_out,
    a_call_whose_caller_is_gone_is_not_carried_out,
    a_refusal_comes_after_the_request_was_read,
    a_refusal_does_not_wait_for_a_sender_that_stopped,
];

/// The bytes of a Set, prefix included.
fn set_of(name: &str, size: usize) -> Bytes {
    framed(false, &item(name, vec![7; size]).encode_to_vec())
}

async fn is_set(site: &Site, name: &str) -> bool {
    site.connect().await.get(key(name)).await.unwrap().found
}

/// The code of a reply: from its headers, or else from its trailers.
async fn code(response: ResponseFuture) -> Code {
    let (head, mut body) = response.await.unwrap().into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return status.code();
    }
    while let Some(chunk) = body.data().await {
        chunk.unwrap();
    }
    match body.trailers().await.unwrap() {
        Some(trailers) => Status::from_header_map(&trailers).unwrap().code(),
        None => Code::Unknown,
    }
}

/// Uploads of 3 MiB, each at some 200 KiB/s, that never end by themselves: one on each of
/// `connections`.
async fn slow_uploads(connections: &mut [Wire]) -> JoinSet<()> {
    let mut uploads = JoinSet::new();
    for (n, wire) in connections.iter_mut().enumerate() {
        let whole = set_of(&format!("slow {n}"), 3 * MIB);
        let (response, mut stream) = wire.stall(SET, whole.slice(..200 << 10)).await.unwrap();
        uploads.spawn(async move {
            for start in (200 << 10..whole.len() - MIB / 4).step_by(20 << 10) {
                sleep(Duration::from_millis(100)).await;
                stream.send_data(whole.slice(start..start + (20 << 10)), false).unwrap();
            }
            drop((response, stream));
        });
    }
    uploads
}

async fn connections(site: &Site, count: usize) -> Vec<Wire> {
    let mut wires = Vec::new();
    for _ in 0..count {
        wires.push(site.wire().await);
    }
    wires
}

/// A prefix that came in two frames was once taken for the longest message there is, and
/// waited for nearly 20 s beside somebody else's slow upload.
async fn a_small_message_passes_beside_slow_ones_in_whatever_frames_it_comes(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_MEMORY_MB", "4")]);
    let mut wires = connections(&site, 4).await;
    let _uploads = slow_uploads(&mut wires).await;
    let wire = &mut wires[0];
    let whole = set_of("small", 100);
    for cuts in [vec![1], vec![4], vec![5], vec![3, 5], vec![1, 2, 3, 4, 5, 6, 7]] {
        let (response, mut stream) = wire.stall(SET, whole.slice(..cuts[0])).await.unwrap();
        for (place, cut) in cuts.iter().enumerate() {
            // Each piece in a frame and in a write of its own.
            wire.ping().await.unwrap();
            let end = cuts.get(place + 1).copied().unwrap_or(whole.len());
            stream.send_data(whole.slice(*cut..end), end == whole.len()).unwrap();
        }
        assert_eq!(timeout(PATIENCE, code(response)).await.expect("it waits"), Code::Ok);
    }
}

/// Three clients that uploaded 3 MiB each made another client's Set of 200 kB take 13.5 s.
async fn large_messages_pass_beside_ten_slow_uploads(on: Deployment) {
    let site = on.start();
    let mut wires = connections(&site, 10).await;
    let _uploads = slow_uploads(&mut wires).await;
    let names: Vec<String> = (0..10_000).map(|n| format!("some-namespace:some-key:{n}")).collect();
    let multi_get = Call { rpc: "MultiGet", message: keys(names).encode_to_vec() };
    // On connections that have an upload too, as behind a proxy.
    for wire in &mut wires {
        let started = Instant::now();
        for size in [200_000, 1_000_000] {
            let set = wire.begin_framed(SET, &[], set_of("quick", size)).await.unwrap();
            let reply = timeout(PATIENCE, set.reply()).await.expect("the Set waits").unwrap();
            assert_eq!(reply.code(), Code::Ok, "{size} bytes");
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        let timeout = [("grpc-timeout", &b"5S"[..])];
        let reply = wire.call(&multi_get.path(), &timeout, &multi_get.message).await.unwrap();
        assert_eq!(reply.code(), Code::Ok);
        assert_eq!(reply.decoded::<MultiCacheValueResponse>().items.len(), 10_000);
    }
}

/// A Set of 3 MB once waited for the end of the upload, though both fit.
async fn a_message_that_fits_beside_a_slow_upload_does_not_wait(on: Deployment) {
    let site = on.start();
    let mut wires = connections(&site, 1).await;
    let _uploads = slow_uploads(&mut wires).await;
    let mut cache = site.connect().await;
    let started = Instant::now();
    let set = cache.set(item("quick", vec![7; 3_000_000]));
    timeout(PATIENCE, set).await.expect("the Set waits").unwrap();
    // The upload takes 14 s.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// Messages that hold all of the memory there is for them, and stop, once kept it for 20 s.
async fn a_message_that_stalls_makes_room_for_one_that_waits(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_MEMORY_MB", "4")]);
    let mut wire = site.wire().await;
    let mut stalled = Vec::new();
    for n in 0..3 {
        let whole = set_of(&format!("stalled {n}"), 3 * MIB);
        stalled.push(wire.stall(SET, whole.slice(..MIB)).await.unwrap());
    }
    wire.ping().await.unwrap();
    let mut cache = site.connect().await;
    let set = cache.set(item("large", vec![7; 3 * MIB]));
    timeout(3 * PATIENCE, set).await.expect("it waits").unwrap();
    let (response, _stream) = stalled.swap_remove(0);
    assert_eq!(code(response).await, Code::Unavailable);
}

/// Each is answered at its deadline, and nothing that comes later changes that.
async fn a_call_that_is_complete_after_its_deadline_is_not_carried_out(on: Deployment) {
    let site = on.start();
    for (size, came) in [(100, 3), (100, 50), (100, 115), (500_000, 50), (500_000, 300_000)] {
        let name = format!("late {size} {came}");
        let whole = set_of(&name, size);
        let came = came.min(whole.len());
        for timeout in ["200m", "200000u", "0000200m"] {
            let timeout_of = [("grpc-timeout", timeout.as_bytes())];
            let mut wire = site.wire().await;
            let started = Instant::now();
            let stalled = wire.stall_with(SET, &timeout_of, whole.slice(..came)).await;
            let (response, mut stream) = stalled.unwrap();
            assert_eq!(code(response).await, Code::DeadlineExceeded, "{name}");
            let took = started.elapsed();
            assert!((Duration::from_millis(190)..PATIENCE).contains(&took), "{took:?}");
            let _ = stream.send_data(whole.slice(came..), true);
            wire.ping().await.unwrap();
            assert!(!is_set(&site, &name).await, "{name}");
        }
        // The same in time is done.
        for timeout in ["8H", "20S"] {
            let timeout = [("grpc-timeout", timeout.as_bytes())];
            let mut wire = site.wire().await;
            let reply = wire.begin_framed(SET, &timeout, whole.clone()).await.unwrap().reply();
            assert_eq!(reply.await.unwrap().code(), Code::Ok);
        }
    }
}

async fn a_call_whose_time_is_over_at_once_is_not_carried_out(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let timeout = [("grpc-timeout", &b"0n"[..])];
    let pending = wire.begin_framed(SET, &timeout, set_of("k", 10)).await.unwrap();
    assert_eq!(pending.reply().await.unwrap().code(), Code::DeadlineExceeded);
    assert!(!is_set(&site, "k").await);
}

/// A message can be complete before its request is: END_STREAM comes in a frame of its own.
/// A reset in its place was once taken for it.
async fn a_call_whose_caller_is_gone_is_not_carried_out(on: Deployment) {
    let site = on.start();
    for size in [10, 500_000] {
        for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
            let mut wire = site.wire().await;
            let whole = set_of("gone", size);
            for came in [whole.len(), whole.len() - 1] {
                let (response, mut stream) = wire.stall(SET, whole.slice(..came)).await.unwrap();
                // The message is there, and then the reset.
                wire.ping().await.unwrap();
                stream.send_reset(reason);
                drop((response, stream));
                wire.ping().await.unwrap();
                assert!(!is_set(&site, "gone").await, "{reason} after {came} of {size} bytes");
            }
        }
        let mut wire = site.wire().await;
        let stalled = wire.stall(SET, set_of("gone", size)).await.unwrap();
        wire.ping().await.unwrap();
        // The connection is lost.
        drop(wire);
        drop(stalled);
        let mut other = site.wire().await;
        other.ping().await.unwrap();
        assert!(!is_set(&site, "gone").await);
    }
}

/// Whether a reply has come by now.
async fn has_come(response: &mut ResponseFuture) -> bool {
    poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *response).poll(cx).is_ready())).await
}

/// A reply that ends before its request makes HTTP/2 reset the stream, and haproxy 2.6 passes
/// on the reset in place of the reply.
async fn a_refusal_comes_after_the_request_was_read(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "1000")]);
    let mut wire = site.wire().await;
    let mebibytes = set_of("k", 6 * MIB);
    let small = set_of("k", 10);
    let none: &[(&str, &[u8])] = &[];
    let text: &[(&str, &[u8])] = &[("content-type", b"text/plain")];
    let packed: &[(&str, &[u8])] = &[("grpc-encoding", b"brotli")];
    let two = Bytes::from([&small[..], &small[..]].concat());
    let cases = [
        ("over the limit", SET, none, &mebibytes, Code::ResourceExhausted),
        ("no such service", "/no.such.Service/Get", none, &mebibytes, Code::Unimplemented),
        ("no such method", "/cache.CacheService/Gat", none, &mebibytes, Code::Unimplemented),
        ("another encoding", SET, packed, &mebibytes, Code::Unimplemented),
        ("not gRPC", SET, text, &mebibytes, Code::Unknown),
        ("two messages", SET, none, &two, Code::InvalidArgument),
    ];
    for (what, path, metadata, body, expected) in cases {
        let most = body.len() - 1;
        let stalled = wire.stall_with(path, metadata, body.slice(..most)).await.unwrap();
        let (mut response, mut stream) = stalled;
        // What was sent so far has been read.
        stream.reserve_capacity(1);
        while stream.capacity() == 0 {
            poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
        }
        wire.ping().await.unwrap();
        assert!(!has_come(&mut response).await, "{what}: the reply overtakes the request");
        stream.send_data(body.slice(most..), true).unwrap();
        assert_eq!(code(response).await, expected, "{what}");
        let reset = poll_fn(|cx| Poll::Ready(stream.poll_reset(cx))).await;
        assert!(reset.is_pending() || matches!(reset, Poll::Ready(Err(_))), "{what}: {reset:?}");
    }
}

async fn a_refusal_does_not_wait_for_a_sender_that_stopped(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "1000")]);
    let mut wire: Wire = site.wire().await;
    let begun = set_of("k", 6 * MIB).slice(..MIB);
    let (response, _stream) = wire.stall(SET, begun).await.unwrap();
    let refused = timeout(PATIENCE, code(response)).await.expect("the reply waits");
    assert_eq!(refused, Code::ResourceExhausted);
}
