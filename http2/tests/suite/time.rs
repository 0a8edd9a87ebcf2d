//! Deadlines. Time is an argument, so that nothing here waits.

use std::time::Duration;

use bytes::Bytes;
use tiny_cache_http2::{Body, Code, ErrorKind, Limits};

use super::support::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_handshake_has_its_time() {
    for begun in [&b""[..], &PREFACE[..23], PREFACE] {
        let mut pair = Pair::silent(Limits::default());
        pair.send(begun);
        assert_eq!(pair.connection.deadline(), Some(pair.now + 10 * SECOND));
        pair.wait(10 * SECOND - Duration::from_nanos(1));
        assert_eq!(pair.failed, None);
        pair.wait(Duration::from_nanos(1));
        assert_eq!(pair.failed.map(|error| error.kind), Some(ErrorKind::Handshake));
    }
}

/// A worker span for ever when silence was due within a handshake: nothing could be done for it.
#[test]
fn a_long_handshake_has_nothing_due_before_its_end() {
    let mut pair = Pair::silent(Limits { handshake_time: 600 * SECOND, ..Limits::default() });
    pair.send(&PREFACE[..9]);
    pair.sent();
    for _ in 0..599 {
        pair.wait(SECOND);
        assert_eq!(pair.failed, None);
        assert!(pair.connection.deadline() > Some(pair.now));
    }
    pair.wait(SECOND);
    assert_eq!(pair.failed.map(|error| error.kind), Some(ErrorKind::Handshake));
}

#[test]
fn a_silent_peer_is_pinged_and_given_up() {
    let mut pair = Pair::new();
    assert_eq!(pair.connection.deadline(), Some(pair.now + 60 * SECOND));
    pair.wait(60 * SECOND);
    let ping = pair.sent().pop().unwrap();
    assert_eq!((ping.kind, ping.flags), (PING, 0));
    assert_eq!(pair.connection.deadline(), Some(pair.now + 20 * SECOND));
    pair.wait(19 * SECOND);
    pair.send(&frame(PING, ACK, 0, &ping.payload));
    assert_eq!(pair.events(), [], "the owner has not asked");
    pair.wait(60 * SECOND);
    assert_eq!(outline(&pair.sent()), [(PING, 0, 0, 8)]);
    pair.wait(20 * SECOND);
    assert_eq!(pair.failed.map(|error| error.kind), Some(ErrorKind::KeepAlive));
}

#[test]
fn a_frame_that_has_begun_must_be_completed() {
    let open = frame(HEADERS, 0, 1, &post("/a"));
    let half = request(1, "/a", &[b'x'; 1000]);
    for bytes in [&open[..], &half[..half.len() - 1], &half[..3]] {
        let mut pair = Pair::new();
        pair.send(bytes);
        for _ in 0..59 {
            pair.wait(SECOND);
        }
        assert_eq!(pair.failed, None);
        pair.wait(SECOND);
        let error = pair.failed.unwrap();
        let reason = "a frame or header block was not completed";
        assert_eq!((error.kind, error.reason), (ErrorKind::Stalled, reason));
    }
}

#[test]
fn a_peer_must_take_something_of_its_replies() {
    let mut pair = Pair::new();
    pair.send(&request(1, "/a", b""));
    pair.reply(1, Body::Lent([Bytes::from(vec![0; 100_000])].into()));
    pair.sent();
    let answer_pings = |pair: &mut Pair| {
        for ping in pair.sent().iter().filter(|f| f.kind == PING) {
            pair.send(&frame(PING, ACK, 0, &ping.payload));
        }
    };
    for _ in 0..59 {
        pair.wait(SECOND);
        answer_pings(&mut pair);
    }
    assert_eq!(pair.failed, None);
    pair.send(&[window_update(1, 1), window_update(0, 1)].concat());
    assert_eq!(outline(&pair.sent()), [(DATA, 0, 1, 1)]);
    for _ in 0..59 {
        pair.wait(SECOND);
        answer_pings(&mut pair);
    }
    assert_eq!(pair.failed, None, "a byte is something");
    pair.wait(SECOND);
    let error = pair.failed.unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Stalled, Code::ENHANCE_YOUR_CALM));
}

#[test]
fn an_idle_connection_lives_as_long_as_it_answers() {
    let mut pair = Pair::new();
    for _ in 0..100 {
        pair.wait(60 * SECOND);
        let ping = pair.sent().pop().unwrap();
        pair.send(&frame(PING, ACK, 0, &ping.payload));
    }
    assert_eq!(pair.failed, None);
}
