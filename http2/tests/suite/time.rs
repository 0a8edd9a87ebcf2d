//! Deadlines. Time is an argument, so that nothing here waits.

use std::time::Duration;

use bytes::Bytes;
use tiny_cache_http2::{Body, Code, ErrorKind, Limits, Patience};

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
    for (bytes, seconds) in [(&open[..], 10), (&half[..half.len() - 1], 60), (&half[..3], 10)] {
        let mut pair = Pair::new();
        pair.send(bytes);
        for _ in 1..seconds {
            pair.wait(SECOND);
        }
        assert_eq!(pair.failed, None);
        pair.wait(SECOND);
        let error = pair.failed.unwrap();
        let reason = "a frame or header block was not completed";
        assert_eq!((error.kind, error.reason), (ErrorKind::Stalled, reason));
    }
}

/// A minute of uploading as fast as the network goes, in pieces that end in the middle of a frame,
/// was taken for one frame that is never completed.
#[test]
fn a_peer_that_is_always_within_a_frame_goes_on_if_frames_are_completed() {
    let mut pair = Pair::new();
    pair.send(&headers(1, 0, &post("/stream")));
    let frame = data(1, 0, &[b'x'; 1000]);
    let (first, second) = frame.split_at(500);
    pair.send(first);
    for _ in 0..50 {
        pair.wait(2 * SECOND);
        pair.send(&[second, first].concat());
        pair.sent();
    }
    assert_eq!(pair.failed, None);
}

/// A reply of so many bytes waits, and the handshake is over.
fn waiting(bytes: usize, limits: Limits) -> Pair {
    let mut pair = Pair::with(limits);
    pair.send(&request(1, "/a", b""));
    pair.reply(1, Body::Lent([Bytes::from(vec![0; bytes])].into()));
    pair.events();
    pair.sent();
    pair
}

/// Lets seconds pass; in each the peer answers pings, and sends `more`.
fn pass(pair: &mut Pair, seconds: u32, more: &[u8]) {
    for _ in 0..seconds {
        pair.wait(SECOND);
        for ping in pair.sent().iter().filter(|f| f.kind == PING) {
            pair.send(&frame(PING, ACK, 0, &ping.payload));
        }
        pair.send(more);
        pair.sent();
    }
}

#[test]
fn a_peer_that_takes_nothing_on_any_stream_loses_the_connection() {
    // The connection's window is used up, as the stream's is.
    let mut pair = waiting(100_000, Limits::default());
    pass(&mut pair, 59, &[]);
    assert_eq!(pair.failed, None);
    pass(&mut pair, 1, &[]);
    let error = pair.failed.unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Stalled, Code::ENHANCE_YOUR_CALM));
}

#[test]
fn a_peer_that_takes_nothing_on_a_stream_loses_that_stream() {
    let mut pair = waiting(100_000, Limits::default());
    pair.send(&window_update(0, 1 << 20));
    pass(&mut pair, 59, &[]);
    assert_eq!((pair.events(), pair.connection.pinned_bytes()), (vec![], 34_465));
    let mut sent = Vec::new();
    for _ in 0..3 {
        pair.wait(SECOND);
        sent.extend(pair.sent());
    }
    let reset = sent.iter().find(|frame| frame.kind == RST_STREAM).unwrap();
    assert_eq!((reset.stream, reset.code()), (1, Code::ENHANCE_YOUR_CALM));
    assert_eq!(pair.events(), [Seen::Stalled { stream: 1 }]);
    assert_eq!((pair.connection.pinned_bytes(), pair.connection.open_streams()), (0, 0));
    let pings: Vec<_> = sent.iter().filter(|frame| frame.kind == PING).collect();
    for ping in pings {
        pair.send(&frame(PING, ACK, 0, &ping.payload));
    }
    pass(&mut pair, 100, &[]);
    assert_eq!(pair.failed, None, "the connection goes on");
}

/// A peer that read a byte a minute held its replies for ever.
#[test]
fn a_few_bytes_now_and_then_are_nothing() {
    for of_stream in [true, false] {
        let mut pair = waiting(100_000, Limits::default());
        if of_stream {
            pair.send(&window_update(0, 1 << 20));
        }
        let more = [window_update(1, 100), window_update(0, 100)].concat();
        pass(&mut pair, 63, &more);
        let lost = pair.failed.is_some();
        assert_eq!(lost, !of_stream);
        assert_eq!(pair.events().contains(&Seen::Stalled { stream: 1 }), of_stream);
    }
}

#[test]
fn a_slow_reader_is_served_to_the_end() {
    const BYTES: usize = 10_000_000;
    let mut pair = waiting(BYTES, Limits::default());
    let patience = Patience { stall_time: 10 * SECOND, pinned_bytes: 1 << 10 };
    pair.connection.set_patience(patience);
    let more = [window_update(1, 65_536), window_update(0, 65_536)].concat();
    pass(&mut pair, (BYTES / 65_536) as u32, &more);
    assert_eq!((pair.failed, pair.events()), (None, vec![]));
    assert_eq!(pair.connection.open_streams(), 0);
}

/// What the owner grants counts from then on, for what waits already.
#[test]
fn less_patience_is_felt_within_a_second() {
    let mut pair = waiting(100_000, Limits::default());
    pair.send(&window_update(0, 1 << 20));
    pass(&mut pair, 20, &[]);
    let patience = Patience { stall_time: 10 * SECOND, pinned_bytes: 1 << 10 };
    pair.connection.set_patience(patience);
    assert!(pair.connection.deadline().unwrap() <= pair.now + SECOND);
    pass(&mut pair, 1, &[]);
    assert_eq!(pair.events(), [Seen::Stalled { stream: 1 }]);
    // What waits is within the bytes that are granted again, so requests are delivered.
    pair.send(&request(3, "/a", b""));
    assert!(matches!(pair.events()[..], [Seen::Request { stream: 3, .. }]));
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
