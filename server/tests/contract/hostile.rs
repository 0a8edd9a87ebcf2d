//! Peers that do harm, or nothing, at a bad moment: whatever one connection does, the server goes
//! on, and so do the others.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, split},
    time::{sleep, timeout},
};

use crate::support::{
    Deployment, Site,
    frames::{
        DATA, END_HEADERS, END_STREAM, Frames, HEADERS, Outcome, PING, RST_STREAM, SETTINGS,
        WINDOW_UPDATE, call_block,
    },
    messages::{item, key},
    wire::{encrypted_in_pieces, framed},
};

crate::rows!(
    a_peer_that_takes_nothing_costs_others_no_time,
    a_request_may_be_given_up_at_any_moment,
    windows_of_a_byte_bring_the_whole_reply,
    a_peer_that_has_said_all_gets_its_replies,
);

// Requests that are answered at once are never too many at a time.
crate::rows_on!(
    ahead,
    OneWorkerOneShard,
    requests_that_were_sent_ahead_are_answered_when_their_sender_reads
);
crate::rows_on!(
    ahead_over_tls,
    Tls,
    requests_that_were_sent_ahead_are_answered_when_their_sender_reads
);

crate::rows_on!(floods, OneWorkerOneShard, floods_end_their_connection_alone);
crate::rows_on!(floods_over_tls, Tls, floods_end_their_connection_alone);
crate::rows_on!(floods_the_long_way, LongWay, floods_end_their_connection_alone);
crate::rows_on!(floods_by_hyper, ByHyper, floods_end_their_connection_alone);
crate::rows_on!(floods_by_hyper_over_tls, ByHyperOverTls, floods_end_their_connection_alone);

crate::rows_on!(tls, Tls, records_may_be_cut_anywhere);
crate::rows_on!(tls_by_hyper, ByHyperOverTls, records_may_be_cut_anywhere);

const LONG: Duration = Duration::from_secs(20);

fn get() -> Vec<u8> {
    call_block("/cache.CacheService/Get")
}

fn set() -> Vec<u8> {
    call_block("/cache.CacheService/Set")
}

fn asked(key_: &str) -> Vec<u8> {
    framed(false, &key(key_).encode_to_vec()).to_vec()
}

/// A server with a value of this size at `k`, and a connection to it.
async fn with_value(deployment: Deployment, bytes: usize) -> (Site, Frames) {
    let site = deployment.start();
    site.connect().await.set(item("k", vec![7; bytes])).await.unwrap();
    let frames = Frames::over(site.stream().await).await;
    (site, frames)
}

/// The server answers another connection at once.
async fn assert_serves(site: &Site) {
    let found = timeout(LONG, async { site.connect().await.get(key("k")).await });
    found.await.expect("the server hangs").unwrap();
}

/// A value arrives that has so many bytes.
async fn assert_value(frames: &mut Frames, stream: u32, bytes: usize) {
    let outcome = timeout(LONG, frames.outcome(stream)).await.expect("the reply hangs");
    let Outcome::Answered(Some(message)) = outcome else { panic!("{stream}: {outcome:?}") };
    let value = tiny_cache_proto::cache::CacheValue::decode(&message[..]).unwrap();
    assert_eq!(value.value.len(), bytes, "{stream}");
}

/// Two thousand requests are written before the first reply is read, more than any buffer on the
/// way holds. Who stops reading must begin again.
async fn requests_that_were_sent_ahead_are_answered_when_their_sender_reads(
    deployment: Deployment,
) {
    const REQUESTS: u32 = 2_000;
    let (site, _) = with_value(deployment, 5_000).await;
    let (mut from, mut to) = split(site.stream().await);
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes()));
    let writer = tokio::spawn(async move {
        to.write_all(&bytes).await.unwrap();
        for number in 0..REQUESTS {
            let stream = 2 * number + 1;
            let request = [
                frame(HEADERS, END_HEADERS, stream, &get()),
                frame(DATA, END_STREAM, stream, &asked("k")),
            ];
            to.write_all(&request.concat()).await.unwrap();
        }
        to.flush().await.unwrap();
        to
    });
    sleep(Duration::from_millis(300)).await;
    assert_serves(&site).await;
    let (mut ended, mut read) = (0, Vec::new());
    let mut buffer = vec![0; 64 << 10];
    while ended < REQUESTS {
        let size = timeout(LONG, from.read(&mut buffer)).await.expect("replies hang").unwrap();
        assert!(size > 0, "the server has closed after {ended} replies");
        read.extend_from_slice(&buffer[..size]);
        ended += take_ends(&mut read);
    }
    drop(writer.await.unwrap());
}

/// How many replies have ended in the frames at the beginning of `bytes`, which are taken out.
fn take_ends(bytes: &mut Vec<u8>) -> u32 {
    let (mut at, mut ends) = (0, 0);
    while let Some([a, b, c, kind, flags, ..]) = bytes.get(at..at + 9) {
        let size = 9 + u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if bytes.len() < at + size {
            break;
        }
        assert!(*kind != RST_STREAM, "a stream was reset");
        ends += u32::from(*kind == HEADERS && flags & END_STREAM != 0);
        at += size;
    }
    bytes.drain(..at);
    ends
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Each of these asks for all that it may ask for, allows all of it, and reads nothing.
async fn a_peer_that_takes_nothing_costs_others_no_time(deployment: Deployment) {
    let (site, _) = with_value(deployment, 1 << 20).await;
    let mut greedy = Vec::new();
    for _ in 0..4 {
        let mut frames = Frames::over(site.stream().await).await;
        frames.send(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]).await;
        frames.send(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes()).await;
        for number in 0..50 {
            frames.request(2 * number + 1, &get(), 16 << 10, &key("k").encode_to_vec()).await;
        }
        greedy.push(frames);
    }
    for _ in 0..20 {
        assert_serves(&site).await;
    }
    // They may change their mind.
    for frames in &mut greedy {
        assert_value(frames, 1, 1 << 20).await;
    }
}

/// RST_STREAM after each piece of a small and of a large call, on one connection.
async fn a_request_may_be_given_up_at_any_moment(deployment: Deployment) {
    let (_site, mut frames) = with_value(deployment, 200_000).await;
    frames.send(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes()).await;
    let mut stream = 1;
    for size in [10, 3_000, 60_000] {
        let message = framed(false, &item("other", vec![1; size]).encode_to_vec());
        for given_up_after in 0..=5 {
            let pieces = message.chunks(message.len().div_ceil(4).min(16_384));
            let last = pieces.len();
            frames.send(HEADERS, END_HEADERS, stream, &set()).await;
            for (number, piece) in pieces.enumerate().take(given_up_after) {
                let flags = if number + 1 == last { END_STREAM } else { 0 };
                frames.send(DATA, flags, stream, piece).await;
                if given_up_after % 2 == 0 {
                    sleep(Duration::from_millis(3)).await;
                }
            }
            frames.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await;
            stream += 2;
        }
        // In the middle of the reply, too: the window of its stream has room for a third.
        frames.request(stream, &get(), 16 << 10, &key("k").encode_to_vec()).await;
        sleep(Duration::from_millis(3)).await;
        frames.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await;
        stream += 2;
    }
    frames.send(HEADERS, END_HEADERS, stream, &get()).await;
    frames.send(WINDOW_UPDATE, 0, stream, &(1u32 << 24).to_be_bytes()).await;
    frames.send(DATA, END_STREAM, stream, &asked("k")).await;
    assert_value(&mut frames, stream, 200_000).await;
}

/// The peer allows nothing at first, then takes back what it has allowed, and then grants a byte
/// at a time.
async fn windows_of_a_byte_bring_the_whole_reply(deployment: Deployment) {
    const BYTES: usize = 300;
    let (_site, mut frames) = with_value(deployment, BYTES).await;
    frames.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 100]).await;
    frames.request(1, &get(), 16 << 10, &key("k").encode_to_vec()).await;
    frames.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
    for _ in 0..BYTES + 110 {
        frames.send(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes()).await;
    }
    assert_value(&mut frames, 1, BYTES).await;
    frames.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
    frames.request(3, &get(), 16 << 10, &key("k").encode_to_vec()).await;
    frames.send(WINDOW_UPDATE, 0, 3, &0x7fff_ffffu32.to_be_bytes()).await;
    assert_value(&mut frames, 3, BYTES).await;
    frames.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]).await;
    frames.send(HEADERS, END_HEADERS, 5, &get()).await;
    frames.send(WINDOW_UPDATE, 0, 5, &0x7fff_ffffu32.to_be_bytes()).await;
    let outcome = timeout(LONG, frames.outcome(5)).await.unwrap();
    assert_eq!(outcome, Outcome::Reset(3), "its window is beyond the limit");
}

/// A peer that closes its side behind its requests, as `nc -N` does.
async fn a_peer_that_has_said_all_gets_its_replies(deployment: Deployment) {
    let (site, mut frames) = with_value(deployment, 1_000).await;
    for stream in [1, 3, 5] {
        frames.request(stream, &get(), 16 << 10, &key("k").encode_to_vec()).await;
    }
    frames.shutdown().await;
    for stream in [1, 3, 5] {
        // It may have no reply, if the end came first; but no half of one, and it ends.
        let outcome = timeout(LONG, frames.outcome(stream)).await.expect("the connection hangs");
        assert!(matches!(outcome, Outcome::Answered(Some(_)) | Outcome::Ended(_)), "{outcome:?}");
    }
    assert_serves(&site).await;
}

/// Frames that cost more than they bring, from peers that read nothing.
async fn floods_end_their_connection_alone(deployment: Deployment) {
    let (site, mut other) = with_value(deployment, 1_000).await;
    let empty = Bytes::new();
    let floods = [
        (PING, 0, 0, vec![0; 8]),
        (SETTINGS, 0, 0, vec![0, 3, 0, 0, 0, 9]),
        (DATA, 0, 1, empty.to_vec()),
        (RST_STREAM, 0, 0, vec![]),
    ];
    for (call, (kind, flags, stream, payload)) in (1..).step_by(2).zip(floods) {
        let mut frames = Frames::over(site.stream().await).await;
        frames.send(HEADERS, END_HEADERS, 1, &set()).await;
        for number in 0..20_000 {
            if kind == RST_STREAM {
                let stream = 2 * number + 3;
                frames.send(HEADERS, END_HEADERS, stream, &set()).await;
                frames.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await;
            } else {
                frames.send(kind, flags, stream, &payload).await;
            }
        }
        let outcome = timeout(LONG, frames.outcome(1)).await.expect("the flood goes on");
        assert!(matches!(outcome, Outcome::Ended(_)), "kind {kind}: {outcome:?}");
        other.request(call, &get(), 16 << 10, &key("k").encode_to_vec()).await;
        assert_value(&mut other, call, 1_000).await;
    }
}

/// TLS records that come in pieces, of the handshake and of what follows; and a peer that goes
/// in the middle of one.
async fn records_may_be_cut_anywhere(deployment: Deployment) {
    let (site, _) = with_value(deployment, 40_000).await;
    for piece in [1, 7, 100] {
        let mut frames = Frames::over(encrypted_in_pieces(site.grpc_addr(), piece).await).await;
        frames.request(1, &get(), 16 << 10, &key("k").encode_to_vec()).await;
        assert_value(&mut frames, 1, 40_000).await;
    }
    for hello in [&b"\x16"[..], b"\x16\x03\x01", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"] {
        let mut socket = tokio::net::TcpStream::connect(site.grpc_addr()).await.unwrap();
        socket.write_all(hello).await.unwrap();
    }
    assert_serves(&site).await;
}
