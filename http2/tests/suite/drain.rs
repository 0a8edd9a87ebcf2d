//! The end of a connection by agreement.

use std::time::Duration;

use tiny_cache_http2::{Body, Code, Limits};

use super::support::*;

const ANY: u32 = (1 << 31) - 1;

/// Starts a drain, and returns the answer to its PING.
fn drain(pair: &mut Pair) -> Vec<u8> {
    let now = pair.now;
    pair.connection.drain(now);
    let sent = pair.sent();
    assert_eq!(outline(&sent), [(GOAWAY, 0, 0, 8), (PING, 0, 0, 8)]);
    assert_eq!((sent[0].number(), sent[0].code()), (ANY, Code::NO_ERROR));
    frame(PING, ACK, 0, &sent[1].payload)
}

#[test]
fn requests_under_way_are_answered_before_the_end() {
    let mut pair = Pair::new();
    pair.send(&request(1, "/a", b""));
    let pong = drain(&mut pair);
    // It was sent before GOAWAY was read.
    pair.send(&request(3, "/b", b""));
    assert!(!pair.connection.is_finished());
    pair.send(&pong);
    let sent = pair.sent();
    assert_eq!(outline(&sent), [(GOAWAY, 0, 0, 8)]);
    assert_eq!((sent[0].number(), sent[0].code()), (3, Code::NO_ERROR));
    pair.events();
    // What comes after the second is ignored: its sender knows that it may be repeated.
    pair.send(&[request(5, "/c", b""), request(7, "/d", b"")].concat());
    assert_eq!((pair.events(), pair.failed), (vec![], None));
    pair.reply(3, Body::Copied(b"x"));
    assert!(!pair.connection.is_finished());
    pair.reply(1, Body::Copied(b"x"));
    assert!(!pair.connection.is_finished(), "the reply is not written");
    pair.sent();
    assert!(pair.connection.is_finished());
}

#[test]
fn a_peer_that_does_not_answer_is_waited_for_a_second() {
    let mut pair = Pair::new();
    drain(&mut pair);
    assert_eq!(pair.connection.deadline(), Some(pair.now + Duration::from_secs(1)));
    pair.wait(Duration::from_secs(1));
    assert_eq!(outline(&pair.sent()), [(GOAWAY, 0, 0, 8)]);
    assert!(pair.connection.is_finished());
}

#[test]
fn a_drain_is_started_once_and_not_before_http2() {
    let mut pair = Pair::silent(Limits::default());
    pair.sent();
    let now = pair.now;
    pair.connection.drain(now);
    assert_eq!(pair.sent(), []);
    let mut pair = Pair::new();
    let pong = drain(&mut pair);
    pair.connection.drain(now);
    assert_eq!(pair.sent(), []);
    pair.send(&[pong.clone(), pong].concat());
    assert_eq!(outline(&pair.sent()), [(GOAWAY, 0, 0, 8)]);
    assert_eq!(pair.events(), []);
}

#[test]
fn an_error_names_the_last_stream_too() {
    let mut pair = Pair::new();
    pair.send(&request(9, "/a", b""));
    pair.send(&frame(PUSH_PROMISE, 0, 9, &[]));
    assert_eq!(pair.sent()[0].number(), 9);
}
