//! Replies, and the windows and limits of the peer that they must fit.

use bytes::Bytes;
use tiny_cache_http2::{Block, Body, Code, FieldName, Limits, Reply};

use super::support::*;

fn asked(parameters: &[(u16, u32)]) -> Pair {
    let mut pair = Pair::new();
    pair.send(&[settings(parameters), request(1, "/a", b"")].concat());
    pair.sent();
    pair
}

fn large(bytes: usize) -> Body<'static> {
    Body::Lent([Bytes::from(vec![b'x'; bytes])].into())
}

fn data_bytes(frames: &[Frame]) -> usize {
    frames.iter().filter(|f| f.kind == DATA).map(|f| f.payload.len()).sum()
}

#[test]
fn a_small_reply_is_three_frames() {
    let mut pair = asked(&[]);
    let id = pair.id(1);
    let name = FieldName::new("x-request-id");
    let (head, trailers) = (ok(), done());
    let reply = Reply {
        head: &head,
        fields: &[(&name, b"seven")],
        body: Body::Copied(b"body"),
        trailers: &trailers,
        trailer_fields: &[(&name, b"eight")],
    };
    assert_eq!(pair.connection.reply(id, reply), Ok(()));
    let sent = pair.sent();
    let kinds: Vec<_> = sent.iter().map(|f| (f.kind, f.flags, f.stream)).collect();
    assert_eq!(kinds, [(HEADERS, 4, 1), (DATA, 0, 1), (HEADERS, 5, 1)]);
    assert_eq!(sent[0].payload[0], 0x88);
    assert!(sent[0].payload.ends_with(b"\x0cx-request-id\x05seven"));
    assert_eq!(sent[1].payload, b"body");
    assert!(sent[2].payload.ends_with(b"\x0cx-request-id\x05eight"));
    assert_eq!(pair.connection.open_streams(), 0);
    assert!(!pair.reply(1, Body::Copied(b"twice")));
}

#[test]
fn a_reply_may_be_trailers_alone() {
    let mut pair = asked(&[]);
    let id = pair.id(1);
    assert_eq!(pair.connection.begin(id, &ok(), &[], true), Ok(()));
    assert_eq!(pair.sent().iter().map(|f| (f.kind, f.flags)).collect::<Vec<_>>(), [(HEADERS, 5)]);
    assert!(pair.connection.begin(id, &ok(), &[], true).is_err());
}

#[test]
fn a_reply_comes_piece_by_piece() {
    let mut pair = asked(&[]);
    let id = pair.id(1);
    let connection = &mut pair.connection;
    assert!(connection.data(id, Bytes::from_static(b"early"), false).is_err());
    connection.begin(id, &ok(), &[], false).unwrap();
    assert!(connection.begin(id, &ok(), &[], false).is_err());
    connection.data(id, Bytes::from_static(b"one"), false).unwrap();
    connection.data(id, Bytes::from_static(b""), false).unwrap();
    connection.data(id, Bytes::from_static(b"two"), false).unwrap();
    connection.trailers(id, &done(), &[]).unwrap();
    assert!(connection.data(id, Bytes::from_static(b"late"), false).is_err());
    let sent = pair.sent();
    let kinds: Vec<_> = sent.iter().map(|f| (f.kind, f.flags, f.payload.len())).collect();
    assert_eq!(kinds[1..], [(DATA, 0, 6), (HEADERS, 5, kinds[2].2)]);
    // Without trailers the last piece ends it, though it be empty.
    pair.send(&request(3, "/a", b""));
    let id = pair.id(3);
    pair.connection.begin(id, &ok(), &[], false).unwrap();
    pair.connection.data(id, Bytes::from_static(b"one"), false).unwrap();
    pair.sent();
    pair.connection.data(id, Bytes::new(), true).unwrap();
    assert_eq!(outline(&pair.sent()), [(DATA, END_STREAM, 3, 0)]);
}

#[test]
fn a_large_reply_is_cut_by_windows_and_frame_size() {
    let mut pair = asked(&[(4, 40_000)]);
    assert!(pair.reply(1, large(100_000)));
    let sizes = |pair: &mut Pair| -> Vec<usize> {
        pair.sent().iter().filter(|f| f.kind == DATA).map(|f| f.payload.len()).collect()
    };
    assert_eq!(sizes(&mut pair), [16384, 16384, 7232], "the stream's window");
    pair.send(&window_update(1, 50_000));
    assert_eq!(sizes(&mut pair), [16384, 9151], "the connection's window");
    assert_eq!(pair.connection.pinned_bytes(), 34_465);
    let id = pair.id(1);
    assert_eq!(pair.connection.queued(id), 34_465);
    pair.send(&[window_update(0, 100_000), settings(&[(5, 20_000)])].concat());
    assert_eq!(sizes(&mut pair), [20_000, 4465]);
    pair.send(&window_update(1, 10_000));
    let sent = pair.sent();
    let kinds: Vec<_> = sent.iter().map(|f| (f.kind, f.flags)).collect();
    assert_eq!((data_bytes(&sent), kinds), (10_000, vec![(DATA, 0), (HEADERS, 5)]));
    assert_eq!((pair.connection.pinned_bytes(), pair.connection.open_streams()), (0, 0));
}

#[test]
fn a_window_may_become_negative() {
    let mut pair = asked(&[]);
    assert!(pair.reply(1, large(70_000)));
    assert_eq!(data_bytes(&pair.sent()), 65_535);
    pair.send(&[window_update(0, 100_000), settings(&[(4, 1000)])].concat());
    pair.send(&window_update(1, 64_535));
    assert_eq!(data_bytes(&pair.sent()), 0, "it is back at zero");
    pair.send(&settings(&[(4, 1500)]));
    assert_eq!(data_bytes(&pair.sent()), 500);
    pair.send(&window_update(1, 1 << 20));
    assert_eq!(data_bytes(&pair.sent()), 3965);
}

#[test]
fn large_replies_take_turns() {
    let mut pair = Pair::new();
    pair.send(&settings(&[(4, 1 << 20)]));
    pair.send(&[request(1, "/a", b""), request(3, "/b", b""), request(5, "/c", b"")].concat());
    for stream in [1, 3, 5] {
        assert!(pair.reply(stream, large(40_000)));
    }
    pair.sent();
    pair.send(&window_update(0, 1 << 20));
    let order: Vec<_> = pair.sent().iter().filter(|f| f.kind == DATA).map(|f| f.stream).collect();
    assert_eq!(order, [3, 5, 1, 3, 5]);
}

#[test]
fn parts_of_a_reply_are_joined_in_frames() {
    let mut pair = asked(&[]);
    let parts = [(b'a', 5), (b'b', 20_000), (b'c', 3), (b'd', 0), (b'e', 9000)];
    let body: Vec<u8> = parts.iter().flat_map(|(byte, size)| vec![*byte; *size]).collect();
    let parts = parts.map(|(byte, size)| Bytes::from(vec![byte; size]));
    assert!(pair.reply(1, Body::Lent(parts.into())));
    let sent = pair.sent();
    let sizes: Vec<_> = sent[1..3].iter().map(|f| f.payload.len()).collect();
    assert_eq!(sizes, [16384, body.len() - 16384]);
    let received: Vec<u8> = sent[1..3].iter().flat_map(|f| f.payload.clone()).collect();
    assert!(received == body);
}

#[test]
fn a_copied_reply_that_does_not_fit_waits() {
    let mut pair = asked(&[(4, 10)]);
    assert!(pair.reply(1, Body::Copied(b"twelve bytes")));
    assert_eq!(data_bytes(&pair.sent()), 10);
    pair.send(&window_update(1, 2));
    let sent = pair.sent();
    assert_eq!(
        sent.iter().map(|f| (f.kind, f.flags)).collect::<Vec<_>>(),
        [(DATA, 0), (HEADERS, 5)]
    );
}

#[test]
fn a_long_header_block_is_cut() {
    let mut pair = asked(&[]);
    let id = pair.id(1);
    let long = Block::status(200).field("x", vec![b'v'; 40_000]);
    pair.connection.begin(id, &long, &[], true).unwrap();
    let sent = pair.sent();
    let kinds: Vec<_> = sent.iter().map(|f| (f.kind, f.flags, f.payload.len())).collect();
    let rest = 40_000 + 8 - 2 * 16384;
    let expected = [(HEADERS, 1, 16384), (CONTINUATION, 0, 16384), (CONTINUATION, 4, rest)];
    assert_eq!(kinds, expected);
}

#[test]
fn a_peer_that_forbids_a_table_hears_that_there_is_none() {
    let mut pair = asked(&[(1, 0)]);
    pair.send(&request(3, "/a", b""));
    pair.reply(1, Body::Copied(b""));
    pair.reply(3, Body::Copied(b""));
    let firsts: Vec<_> = pair.sent().iter().map(|f| f.payload[0]).collect();
    assert_eq!(firsts, [0x20, 0x10, 0x88, 0x10]);
}

#[test]
fn settings_are_acknowledged_and_pings_answered() {
    let mut pair = Pair::new();
    pair.send(&[settings(&[(3, 1), (0xfff, 7)]), frame(PING, 0, 0, b"12345678")].concat());
    let sent = pair.sent();
    assert_eq!(outline(&sent), [(SETTINGS, ACK, 0, 0), (PING, ACK, 0, 8)]);
    assert_eq!(sent[1].payload, b"12345678");
    pair.connection.ping(*b"question");
    assert_eq!(outline(&pair.sent()), [(PING, 0, 0, 8)]);
    pair.send(&frame(PING, ACK, 0, b"question"));
    assert_eq!(pair.events(), [Seen::Pong(*b"question")]);
}

#[test]
fn the_settings_of_this_side_come_first() {
    let limits = Limits { streams: 7, stream_window: 1000, ..Limits::default() };
    let sent = Pair::silent(limits).sent();
    assert_eq!(outline(&sent), [(SETTINGS, 0, 0, 18), (WINDOW_UPDATE, 0, 0, 4)]);
    let parameters: Vec<_> = sent[0]
        .payload
        .chunks(6)
        .map(|p| (p[1], u32::from_be_bytes(p[2..].try_into().unwrap())))
        .collect();
    assert_eq!(parameters, [(3, 7), (4, 1000), (6, 65_535)]);
    assert_eq!(sent[1].number(), (1 << 20) - 65_535);
}

#[test]
fn a_reply_before_the_end_of_its_request_asks_the_peer_to_stop() {
    let mut pair = Pair::new();
    pair.send(&[headers(1, 0, &post("/stream")), data(1, 0, &[b'x'; 1000])].concat());
    pair.reply(1, Body::Copied(b"no"));
    let last = pair.sent().pop().unwrap();
    assert_eq!((last.kind, last.code()), (RST_STREAM, Code::NO_ERROR));
    // One that waits for a window has read enough, too.
    pair.send(&[settings(&[(4, 0)]), headers(3, 0, &post("/stream"))].concat());
    pair.reply(3, Body::Copied(b"no"));
    pair.events();
    pair.send(&data(3, END_STREAM, b"unread"));
    assert_eq!(pair.events(), []);
    pair.send(&window_update(3, 100));
    let kinds: Vec<_> = pair.sent().iter().map(|f| f.kind).collect();
    assert_eq!(kinds[kinds.len() - 2..], [DATA, HEADERS], "the request has ended meanwhile");
}

#[test]
fn what_waits_is_dropped_with_its_stream() {
    let mut pair = asked(&[]);
    assert!(pair.reply(1, large(200_000)));
    pair.sent();
    assert_eq!(pair.connection.pinned_bytes(), 200_000 - 65_535);
    pair.send(&reset(1, Code::CANCEL));
    assert_eq!(pair.connection.pinned_bytes(), 0);
    pair.send(&[window_update(0, 1 << 20), request(3, "/a", b"")].concat());
    pair.reply(3, Body::Copied(b"x"));
    assert_eq!(data_bytes(&pair.sent()), 1);
}
