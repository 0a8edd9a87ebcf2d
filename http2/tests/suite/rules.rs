//! What no client may send, and what becomes of it.

use tiny_cache_http2::{Body, Code, ErrorKind, Limits};

use super::support::*;

const PROTOCOL: Code = Code::PROTOCOL_ERROR;
const SIZE: Code = Code::FRAME_SIZE_ERROR;

#[test]
fn frames_that_end_a_connection() {
    let long = 16385;
    for (bytes, code, reason) in [
        (headers(0, 0, &[]), PROTOCOL, "HEADERS on a stream that no client has"),
        (headers(2, END_STREAM, &post("/a")), PROTOCOL, "HEADERS on a stream that no client has"),
        (frame(HEADERS, PADDED, 1, &[9, 0]), PROTOCOL, "HEADERS with too much padding"),
        (frame(HEADERS, PADDED, 1, &[]), SIZE, "HEADERS with too much padding"),
        (frame(HEADERS, WITH_PRIORITY, 1, &[0; 4]), SIZE, "HEADERS with too much padding"),
        (frame(CONTINUATION, 4, 1, &[]), PROTOCOL, "CONTINUATION without a header block"),
        (data(0, 0, b"x"), PROTOCOL, "DATA on the connection itself"),
        (data(1, 0, b"x"), PROTOCOL, "DATA on a stream that was never opened"),
        (data(2, 0, b"x"), PROTOCOL, "DATA on a stream that was never opened"),
        (frame(DATA, 0, 1, &vec![0; long]), SIZE, "a frame is too large"),
        (frame(PUSH_PROMISE, 4, 1, &[0; 4]), PROTOCOL, "a client does not push"),
        (frame(SETTINGS, 0, 1, &[]), PROTOCOL, "a frame of the connection on a stream"),
        (frame(SETTINGS, 0, 0, &[0; 5]), SIZE, "SETTINGS with half a parameter"),
        (frame(SETTINGS, ACK, 0, &[0; 6]), SIZE, "an acknowledgement of SETTINGS with parameters"),
        (settings(&[(2, 2)]), PROTOCOL, "ENABLE_PUSH is neither 0 nor 1"),
        (settings(&[(4, 1 << 31)]), Code::FLOW_CONTROL_ERROR, "a window beyond its limit"),
        (settings(&[(5, 16383)]), PROTOCOL, "MAX_FRAME_SIZE is out of its range"),
        (settings(&[(5, 1 << 24)]), PROTOCOL, "MAX_FRAME_SIZE is out of its range"),
        (frame(PING, 0, 1, &[0; 8]), PROTOCOL, "a frame of the connection on a stream"),
        (frame(PING, 0, 0, &[0; 7]), SIZE, "PING has 8 bytes"),
        (frame(GOAWAY, 0, 1, &[0; 8]), PROTOCOL, "a frame of the connection on a stream"),
        (frame(GOAWAY, 0, 0, &[0; 7]), SIZE, "GOAWAY has 8 bytes at least"),
        (frame(WINDOW_UPDATE, 0, 0, &[0; 3]), SIZE, "WINDOW_UPDATE has 4 bytes"),
        (window_update(0, 0), PROTOCOL, "WINDOW_UPDATE by nothing"),
        (window_update(1, 1), PROTOCOL, "WINDOW_UPDATE on a stream that was never opened"),
        (window_update(0, (1 << 31) - 1), Code::FLOW_CONTROL_ERROR, "a window beyond its limit"),
        (reset(0, Code::CANCEL), PROTOCOL, "a frame of a stream on the connection"),
        (reset(1, Code::CANCEL), PROTOCOL, "RST_STREAM on a stream that was never opened"),
        (frame(RST_STREAM, 0, 1, &[0; 3]), SIZE, "RST_STREAM has 4 bytes"),
        (frame(PRIORITY, 0, 0, &[0; 5]), PROTOCOL, "a frame of a stream on the connection"),
        (frame(PRIORITY, 0, 1, &[0; 4]), SIZE, "PRIORITY has 5 bytes"),
        (frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), PROTOCOL, "a stream depends on itself"),
        (headers(1, 0, &[0xff, 0x7f]), Code::COMPRESSION_ERROR, "an index is beyond the table"),
    ] {
        assert_eq!(Pair::new().fails(&bytes), (code, reason));
    }
}

#[test]
fn a_header_block_is_not_interrupted() {
    let open = frame(HEADERS, 0, 1, &post("/a"));
    for other in [
        data(1, 0, b""),
        frame(PING, 0, 0, &[0; 8]),
        frame(0x42, 0, 1, b""),
        headers(3, 0, &post("/b")),
        frame(PRIORITY, 0, 1, &[0; 5]),
    ] {
        let bytes = [&open[..], &other].concat();
        assert_eq!(Pair::new().fails(&bytes), (PROTOCOL, "a frame within a header block"));
    }
    let other = [&open[..], &frame(CONTINUATION, 4, 3, b"")].concat();
    let reason = "CONTINUATION without a header block";
    assert_eq!(Pair::new().fails(&other), (PROTOCOL, reason));
}

#[test]
fn the_first_frame_is_settings() {
    for first in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, ACK, 0, &[]), headers(1, 5, &[])] {
        let mut pair = Pair::silent(Limits::default());
        let (code, reason) = pair.fails(&[PREFACE, &first].concat());
        assert_eq!((code, reason), (PROTOCOL, "the first frame is not SETTINGS"));
    }
}

#[test]
fn what_speaks_no_http2_gets_no_goaway() {
    let mut pair = Pair::silent(Limits::default());
    pair.send(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(pair.failed.map(|error| error.kind), Some(ErrorKind::Handshake));
    assert!(pair.sent().iter().all(|frame| frame.kind != GOAWAY));
    assert!(pair.connection.is_finished());
    pair.failed = None;
    pair.send(b"more");
    assert!(pair.failed.is_some(), "it stays failed");
}

#[test]
fn requests_that_are_malformed_are_reset() {
    let with = |more: &[(&str, &str)]| [post("/a"), fields(more)].concat();
    for (block, reason) in [
        (with(&[("Upper", "a")]), "a field's name has a character that is not allowed"),
        (with(&[("a", "b\r\nc: d")]), "a field's value has a character that is not allowed"),
        (with(&[("connection", "close")]), "a field of HTTP/1 connections"),
        (with(&[("te", "gzip")]), "te has a value other than trailers"),
        (with(&[("a", "b"), (":path", "/")]), "a pseudo-header field after others"),
        (with(&[(":path", "/")]), "a pseudo-header field that repeats"),
        (with(&[(":status", "200")]), "an unknown pseudo-header field"),
        (fields(&[(":method", "GET"), (":path", "/")]), "a request without a scheme"),
        (with(&[("content-length", "3")]), "a body whose length is not its content-length"),
    ] {
        let mut pair = Pair::new();
        assert_eq!(pair.resets(&headers(1, END_STREAM, &block)), (1, PROTOCOL, reason));
        assert_eq!(pair.connection.open_streams(), 0);
        pair.send(&data(1, END_STREAM, b"under way"));
        pair.send(&request(3, "/a", b"x"));
        assert!(matches!(pair.seen.last(), Some(Seen::Request { stream: 3, .. })));
    }
}

#[test]
fn a_body_has_the_length_that_was_announced() {
    let block = |length: &str| [post("/stream"), fields(&[("content-length", length)])].concat();
    let reason = "a body whose length is not its content-length";
    for (length, bodies) in [
        ("3", vec![data(1, END_STREAM, b"ab")]),
        ("3", vec![data(1, 0, b"ab"), data(1, 0, b"cd")]),
        ("3", vec![data(1, 0, b"ab"), headers(1, END_STREAM, &fields(&[("x", "y")]))]),
        ("0", vec![data(1, 0, b"a")]),
    ] {
        let mut pair = Pair::new();
        let bytes = [headers(1, 0, &block(length)), bodies.concat()].concat();
        assert_eq!(pair.resets(&bytes), (1, PROTOCOL, reason));
    }
    // On the other lane, too, in one frame and in two.
    let block = [post("/a"), fields(&[("content-length", "3")])].concat();
    for body in [data(1, END_STREAM, b"ab"), [data(1, 0, b"ab"), data(1, 0, b"cd")].concat()] {
        assert_eq!(Pair::new().resets(&[headers(1, 0, &block), body].concat()).2, reason);
    }
    let mut pair = Pair::new();
    pair.send(&[headers(1, 0, &block), data(1, END_STREAM, b"abc")].concat());
    assert!(matches!(pair.seen[..], [Seen::Request { .. }]));
}

#[test]
fn trailers_that_are_malformed_are_reset() {
    for (trailers, reason) in [
        (headers(1, 0, &fields(&[("x", "y")])), "trailers that do not end their stream"),
        (headers(1, END_STREAM, &post("/b")), "a pseudo-header field in trailers"),
    ] {
        let bytes = [headers(1, 0, &post("/stream")), trailers].concat();
        assert_eq!(Pair::new().resets(&bytes), (1, PROTOCOL, reason));
    }
}

#[test]
fn trailers_with_too_many_fields_are_reset() {
    let mut pair = Pair::with(Limits { header_list_bytes: 1000, ..Limits::default() });
    let long = fields(&[("x", &"v".repeat(1000))]);
    let bytes = [headers(1, 0, &post("/stream")), headers(1, END_STREAM, &long)].concat();
    let reason = "trailers with too many fields";
    assert_eq!(pair.resets(&bytes), (1, Code::ENHANCE_YOUR_CALM, reason));
}

#[test]
fn windows_of_streams_neither_stand_still_nor_overflow() {
    let mut pair = Pair::new();
    pair.send(&[headers(1, 0, &post("/stream")), headers(3, 0, &post("/stream"))].concat());
    let reason = "WINDOW_UPDATE by nothing";
    assert_eq!(pair.resets(&window_update(1, 0)), (1, PROTOCOL, reason));
    let reason = "a window beyond its limit";
    assert_eq!(
        pair.resets(&window_update(3, (1 << 31) - 1)),
        (3, Code::FLOW_CONTROL_ERROR, reason)
    );
    // By SETTINGS it is the connection's fault.
    let mut pair = Pair::new();
    pair.send(
        &[headers(1, 0, &post("/stream")), window_update(1, (1 << 31) - 1 - 65_535)].concat(),
    );
    assert_eq!(pair.fails(&settings(&[(4, 65_536)])), (Code::FLOW_CONTROL_ERROR, reason));
}

#[test]
fn frames_after_the_end_of_a_request() {
    let closed = Code::STREAM_CLOSED;
    let half_closed = || {
        let mut pair = Pair::new();
        pair.send(&headers(1, END_STREAM, &post("/a")));
        pair
    };
    let late = "DATA after the end of a request";
    assert_eq!(half_closed().resets(&data(1, 0, b"x")), (1, closed, late));
    let late = "HEADERS after the end of a request";
    assert_eq!(half_closed().resets(&headers(1, 5, &fields(&[("x", "y")]))), (1, closed, late));
    // These may come until the reply is complete, and after.
    let mut pair = half_closed();
    pair.send(&[window_update(1, 5), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])].concat());
    pair.reply(1, Body::Copied(b"x"));
    pair.send(&[window_update(1, 5), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])].concat());
    pair.send(&reset(1, Code::CANCEL));
    assert_eq!((pair.failed, pair.events().len()), (None, 1));
}

#[test]
fn frames_on_a_stream_that_is_closed() {
    let closed = Code::STREAM_CLOSED;
    let answered = || {
        let mut pair = Pair::new();
        pair.send(&request(1, "/a", b""));
        pair.reply(1, Body::Copied(b"x"));
        pair.sent();
        pair
    };
    assert_eq!(answered().fails(&data(1, 0, b"x")), (closed, "DATA on a closed stream"));
    let block = headers(1, 5, &fields(&[("x", "y")]));
    assert_eq!(answered().fails(&block), (closed, "HEADERS on a closed stream"));
    // A number that was skipped is closed, too.
    let skipped = [request(5, "/a", b""), headers(3, 5, &post("/b"))].concat();
    assert_eq!(Pair::new().fails(&skipped), (PROTOCOL, "the numbers of streams must grow"));
    let cancelled = || {
        let mut pair = Pair::new();
        pair.send(&[headers(1, 0, &post("/stream")), reset(1, Code::CANCEL)].concat());
        pair
    };
    assert_eq!(cancelled().resets(&data(1, 0, b"x")), (1, closed, "DATA on a closed stream"));
    assert_eq!(cancelled().resets(&block), (1, closed, "HEADERS after RST_STREAM"));
}

#[test]
fn frames_under_way_to_a_stream_that_was_reset_are_ignored() {
    let mut pair = Pair::new();
    pair.send(&headers(1, 0, &post("/stream")));
    let id = pair.id(1);
    pair.connection.reset(id, Code::CANCEL);
    pair.connection.reset(id, Code::CANCEL);
    assert_eq!(outline(&pair.sent()), [(RST_STREAM, 0, 1, 4)]);
    pair.events();
    let block = [vec![0x40, 1, b'a', 1, b'b'], fields(&[("x", "y")])].concat();
    pair.send(&[data(1, 0, b"x"), window_update(1, 1), headers(1, 5, &block)].concat());
    assert_eq!((pair.events().len(), pair.sent().len(), pair.failed), (0, 0, None));
    // The table has what they brought.
    pair.send(&headers(3, 5, &[post("/stream"), vec![0xbe]].concat()));
    let Seen::Head { fields, .. } = &pair.seen[0] else { panic!() };
    assert_eq!(fields[..], [("a".to_owned(), "b".to_owned())]);
}

/// An owner may refuse many uploads at once, with DATA of all under way.
#[test]
fn data_under_way_to_many_streams_that_were_reset_is_ignored() {
    let mut pair = Pair::new();
    let streams: Vec<u32> = (1..200).step_by(2).collect();
    for stream in &streams {
        pair.send(&headers(*stream, 0, &post("/stream")));
        assert!(pair.reply(*stream, Body::Copied(b"no")));
    }
    pair.events();
    pair.sent();
    for _ in 0..10 {
        for stream in &streams {
            pair.send(&data(*stream, 0, &[b'x'; 1000]));
        }
    }
    assert_eq!((pair.events(), pair.failed), (vec![], None));
    let sent = pair.sent();
    assert!(sent.iter().all(|f| (f.kind, f.stream) == (WINDOW_UPDATE, 0)), "{sent:?}");
    assert!(!sent.is_empty(), "the connection's window is not used up by them");
}

#[test]
fn a_stream_may_not_depend_on_itself() {
    let mut pair = Pair::new();
    let block = [&[0, 0, 0, 1, 16][..], &post("/a")].concat();
    let bytes = frame(HEADERS, 5 | WITH_PRIORITY, 1, &block);
    assert_eq!(pair.resets(&bytes), (1, PROTOCOL, "a stream depends on itself"));
    pair.send(&headers(3, 0, &post("/stream")));
    let bytes = frame(PRIORITY, 0, 3, &[0, 0, 0, 3, 16]);
    assert_eq!(pair.resets(&bytes), (3, PROTOCOL, "a stream depends on itself"));
    pair.send(&headers(5, 0, &post("/stream")));
    assert_eq!(pair.resets(&frame(PRIORITY, 0, 5, &[0; 6])), (5, SIZE, "PRIORITY has 5 bytes"));
}

#[test]
fn more_streams_than_allowed_are_refused_and_may_be_repeated() {
    let mut pair = Pair::with(Limits { streams: 2, ..Limits::default() });
    pair.send(&[request(1, "/a", b""), request(3, "/b", b"")].concat());
    let reason = "too many streams are open";
    assert_eq!(pair.resets(&request(5, "/c", b"")), (5, Code::REFUSED_STREAM, reason));
    pair.reply(1, Body::Copied(b""));
    pair.send(&request(7, "/c", b""));
    assert!(matches!(pair.seen.last(), Some(Seen::Request { stream: 7, .. })));
}

#[test]
fn an_owner_may_close() {
    let mut pair = Pair::new();
    pair.send(&request(1, "/a", b""));
    pair.connection.close(Code::NO_ERROR, "idle");
    let sent = pair.sent();
    assert_eq!(outline(&sent), [(GOAWAY, 0, 0, 12)]);
    assert_eq!(sent[0].number(), 1);
    assert!(pair.connection.is_finished() && !pair.connection.wants_input());
    assert_eq!(pair.connection.deadline(), None);
    assert!(!pair.reply(1, Body::Copied(b"")));
}
