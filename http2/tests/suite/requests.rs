//! Requests on both lanes.

use std::time::Duration;

use tiny_cache_http2::{Body, Code, Limits};

use super::support::*;

fn whole(stream: u32, path: &str, body: &[u8]) -> Seen {
    Seen::Request { stream, path: path.to_owned(), id: None, body: body.to_vec() }
}

fn head(stream: u32, path: &str, end: bool) -> Seen {
    Seen::Head { stream, path: path.to_owned(), fields: Vec::new(), end }
}

fn piece(stream: u32, bytes: &[u8], end: bool) -> Seen {
    Seen::Data { stream, bytes: bytes.to_vec(), end }
}

#[test]
fn a_small_request_is_one_event() {
    let mut pair = Pair::new();
    pair.send(&[request(1, "/a", b"one"), request(3, "/b", b"two")].concat());
    assert_eq!(pair.events(), [whole(1, "/a", b"one"), whole(3, "/b", b"two")]);
    assert_eq!(pair.connection.open_streams(), 2);
    assert_eq!(pair.connection.last_stream(), 3);
}

#[test]
fn a_request_may_end_with_its_headers() {
    let mut pair = Pair::new();
    pair.send(&headers(1, END_STREAM, &post("/a")));
    pair.send(&headers(3, END_STREAM, &post("/stream")));
    assert_eq!(pair.events(), [whole(1, "/a", b""), head(3, "/stream", true)]);
}

#[test]
fn an_empty_frame_may_end_a_small_request() {
    let mut pair = Pair::new();
    let bytes = [headers(1, 0, &post("/a")), data(1, 0, b"one"), data(1, END_STREAM, b"")].concat();
    pair.send(&bytes);
    assert_eq!(pair.events(), [whole(1, "/a", b"one")]);
}

#[test]
fn bodies_that_interleave_are_gathered() {
    let mut pair = Pair::new();
    pair.send(&[headers(1, 0, &post("/a")), headers(3, 0, &post("/b"))].concat());
    pair.send(
        &[data(1, 0, b"o"), data(3, END_STREAM, b"two"), data(1, END_STREAM, b"ne")].concat(),
    );
    assert_eq!(pair.events(), [whole(3, "/b", b"two"), whole(1, "/a", b"one")]);
}

#[test]
fn named_fields_are_read_and_others_kept_on_a_stream() {
    let mut pair = Pair::new();
    let more = fields(&[("x-request-id", "seven"), ("user-agent", "test")]);
    pair.send(&headers(1, END_STREAM, &[post("/a"), more.clone()].concat()));
    pair.send(&headers(3, END_STREAM, &[post("/stream"), more].concat()));
    let events = pair.events();
    let Seen::Request { id, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(id.as_deref(), Some("seven"));
    let Seen::Head { fields, .. } = &events[1] else { panic!("{events:?}") };
    let list = [("x-request-id", "seven"), ("user-agent", "test")];
    assert_eq!(fields, &list.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_stream_comes_piece_by_piece_and_as_far_as_it_is_released() {
    let limits = Limits { stream_window: 70_000, connection_window: 70_000, ..Limits::default() };
    let mut pair = Pair::with(limits);
    pair.send(&headers(1, 0, &post("/stream")));
    let bytes = [b'x'; 10_000];
    for _ in 0..7 {
        pair.send(&data(1, 0, &bytes));
    }
    assert_eq!(pair.events().len(), 8);
    assert_eq!(pair.sent(), [], "nothing was released");
    let id = pair.id(1);
    pair.connection.release(id, 34_999);
    assert_eq!(pair.sent(), [], "less than half");
    pair.connection.release(id, 1);
    let updates: Vec<_> = pair.sent().iter().map(|f| (f.kind, f.stream, f.number())).collect();
    assert_eq!(updates, [(WINDOW_UPDATE, 1, 35_000), (WINDOW_UPDATE, 0, 35_000)]);
    pair.send(&data(1, END_STREAM, b"end"));
    assert_eq!(pair.events(), [piece(1, b"end", true)]);
    assert_eq!(pair.failed, None);
}

#[test]
fn more_than_a_window_is_refused() {
    let limits = Limits { stream_window: 66_000, ..Limits::default() };
    let mut pair = Pair::with(limits);
    pair.send(&headers(1, 0, &post("/stream")));
    for _ in 0..4 {
        pair.send(&data(1, 0, &[b'x'; 16 << 10]));
    }
    let reason = "DATA beyond a stream's window";
    assert_eq!(pair.resets(&data(1, 0, &[b'x'; 1000])), (1, Code::FLOW_CONTROL_ERROR, reason));

    let limits = Limits { stream_window: 1 << 20, connection_window: 0, ..Limits::default() };
    let mut pair = Pair::with(limits);
    pair.send(&headers(1, 0, &post("/stream")));
    for _ in 0..3 {
        pair.send(&data(1, 0, &[b'x'; 16 << 10]));
    }
    let reason = "DATA beyond the connection's window";
    assert_eq!(pair.fails(&data(1, 0, &[b'x'; 16 << 10])), (Code::FLOW_CONTROL_ERROR, reason));
}

#[test]
fn a_window_that_was_not_acknowledged_has_its_default_size() {
    let limits = Limits { stream_window: 10, ..Limits::default() };
    let mut pair = Pair::silent(limits);
    pair.send(&[PREFACE, &settings(&[]), &headers(1, 0, &post("/stream"))].concat());
    pair.send(&data(1, 0, &[b'x'; 100]));
    assert_eq!(pair.events().len(), 2, "the peer cannot know of ten yet");
    pair.send(&frame(SETTINGS, ACK, 0, &[]));
    let (_, code, _) = pair.resets(&data(1, 0, b"y"));
    assert_eq!(code, Code::FLOW_CONTROL_ERROR);
    pair.send(&[headers(3, 0, &post("/stream")), data(3, 0, &[b'x'; 10])].concat());
    assert_eq!(pair.seen.len(), 3);
    assert_eq!(pair.resets(&data(3, 0, b"y")).0, 3);
}

#[test]
fn padding_is_released_by_nobody() {
    let mut pair = Pair::with(Limits { stream_window: 1000, ..Limits::default() });
    pair.send(&headers(1, 0, &post("/stream")));
    let padded = [&[200][..], b"x", &[0; 200]].concat();
    for _ in 0..20 {
        pair.send(&data(1, PADDED, &padded));
        let id = pair.id(1);
        pair.connection.release(id, 1);
    }
    assert_eq!(pair.failed, None);
    assert_eq!(pair.events().len(), 21);
    let updates = pair.sent().iter().filter(|f| f.stream == 1).map(Frame::number).sum::<u32>();
    assert!((20 * 202 - 500..=20 * 202).contains(&updates), "{updates}");
}

#[test]
fn a_body_that_grows_is_handed_over_as_a_stream() {
    let limits = Limits { gather_bytes: 100, ..Limits::default() };
    let mut pair = Pair::with(limits);
    pair.send(&headers(1, 0, &post("/a")));
    pair.send(&data(1, 0, &[b'x'; 60]));
    assert_eq!(pair.events(), []);
    pair.send(&[data(1, 0, &[b'x'; 60]), data(1, 0, b"more"), data(1, END_STREAM, b"")].concat());
    let all = [b'x'; 120];
    let expected = [
        head(1, "/a", false),
        piece(1, &all, false),
        piece(1, b"more", false),
        piece(1, b"", true),
    ];
    assert_eq!(pair.events(), expected);
    // One frame may be too large by itself, and end the request.
    pair.send(&request(3, "/b", &[b'y'; 101]));
    assert_eq!(pair.events(), [head(3, "/b", false), piece(3, &[b'y'; 101], true)]);
}

/// A peer whose window is used up waits for more of it, which is released by an owner alone.
#[test]
fn a_body_that_uses_its_window_up_is_handed_over_as_a_stream() {
    let mut pair = Pair::new();
    pair.send(&headers(1, 0, &post("/a")));
    for _ in 0..3 {
        pair.send(&data(1, 0, &[b'x'; 16_000]));
    }
    assert_eq!(pair.events(), []);
    pair.send(&data(1, 0, &[b'x'; 2000]));
    assert_eq!(pair.events(), [head(1, "/a", false), piece(1, &[b'x'; 50_000], false)]);
}

#[test]
fn a_body_that_is_slow_is_handed_over_as_a_stream() {
    let mut pair = Pair::new();
    pair.send(&[headers(1, 0, &post("/a")), data(1, 0, b"slow")].concat());
    pair.wait(Duration::from_millis(40));
    pair.send(&headers(3, 0, &post("/b")));
    assert_eq!(pair.connection.deadline(), Some(pair.now + Duration::from_millis(60)));
    pair.wait(Duration::from_millis(60));
    assert_eq!(pair.events(), [head(1, "/a", false), piece(1, b"slow", false)]);
    pair.send(&data(1, END_STREAM, b"er"));
    assert_eq!(pair.events(), [piece(1, b"er", true)]);
    pair.wait(Duration::from_millis(40));
    assert_eq!(pair.events(), [head(3, "/b", false)]);
    pair.send(&data(3, END_STREAM, b"late"));
    assert_eq!(pair.events(), [piece(3, b"late", true)]);
}

#[test]
fn requests_wait_while_too_much_of_the_replies_does() {
    let mut pair = Pair::with(Limits { pinned_bytes: 100_000, ..Limits::default() });
    pair.send(&request(1, "/a", b""));
    let large = bytes::Bytes::from(vec![b'x'; 200_000]);
    assert!(pair.reply(1, Body::Lent([large].into())));
    pair.events();
    let more = [
        request(3, "/b", b"two"),
        headers(5, 0, &post("/stream")),
        data(5, 0, b"three"),
        headers(7, END_STREAM, &post("/c")),
    ];
    pair.send(&more.concat());
    assert_eq!(pair.events(), [], "200,000 bytes wait");
    assert_eq!(pair.connection.open_streams(), 4);
    let sent: usize = pair.sent().iter().filter(|f| f.kind == DATA).map(|f| f.payload.len()).sum();
    assert_eq!(sent, 65_535, "the window of the connection");
    pair.send(&[window_update(0, 1 << 20), window_update(1, 1 << 20)].concat());
    pair.sent();
    pair.send(&[]);
    let expected = [
        whole(3, "/b", b"two"),
        head(5, "/stream", false),
        piece(5, b"three", false),
        whole(7, "/c", b""),
    ];
    assert_eq!(pair.events(), expected);
}

#[test]
fn a_request_that_waits_may_be_cancelled() {
    let mut pair = Pair::with(Limits { pinned_bytes: 100_000, ..Limits::default() });
    pair.send(&request(1, "/a", b""));
    let large = bytes::Bytes::from(vec![b'x'; 200_000]);
    assert!(pair.reply(1, Body::Lent([large].into())));
    pair.events();
    pair.send(&[request(3, "/b", b""), request(5, "/c", b"")].concat());
    pair.send(&[reset(3, Code::CANCEL), reset(1, Code::CANCEL)].concat());
    let cancelled = Seen::Reset { stream: 1, code: Code::CANCEL, refused: None };
    let given_up = Seen::GivenUp { stream: 3, path: "/b".to_owned(), code: Code::CANCEL };
    assert_eq!(pair.events(), [given_up, cancelled, whole(5, "/c", b"")]);
}

/// A reply that waits for a window keeps its stream, whose request nobody reads any more.
#[test]
fn a_body_that_is_handed_over_may_be_unwanted() {
    let mut pair = Pair::with(Limits { gather_bytes: 10, ..Limits::default() });
    pair.send(&settings(&[(4, 0)]));
    let mut bytes = &[headers(1, 0, &post("/a")), data(1, 0, b"more than ten")].concat()[..];
    let event = pair.connection.receive(&mut bytes, pair.now, &mut pair.work);
    let (seen, id) = Seen::of(event.unwrap().unwrap());
    assert_eq!(seen, head(1, "/a", false));
    pair.ids.extend(id);
    assert!(pair.reply(1, Body::Copied(b"no")));
    pair.send(&[data(1, 0, b"more"), headers(1, END_STREAM, &fields(&[("x", "y")]))].concat());
    assert_eq!(pair.events(), []);
    pair.send(&[window_update(1, 2), request(3, "/b", b"")].concat());
    assert_eq!(pair.events(), [whole(3, "/b", b"")]);
    assert!(pair.sent().iter().all(|f| f.kind != RST_STREAM), "the request had ended");
    assert_eq!(pair.connection.open_streams(), 1);
}

#[test]
fn a_request_with_too_many_fields_is_reported_and_can_be_answered() {
    let mut pair = Pair::with(Limits { header_list_bytes: 1000, ..Limits::default() });
    let long = "v".repeat(600);
    let block = [post("/a"), fields(&[("x-request-id", &long), ("b", &long)])].concat();
    pair.send(&[headers(1, 0, &block), data(1, 0, b"unwanted")].concat());
    let expected = 4 * 32 + 45 + 2 * (32 + 600) + 13 - 7;
    let [Seen::TooLarge { stream: 1, bytes }] = pair.events()[..] else { panic!() };
    assert!(bytes.abs_diff(expected) < 20, "{bytes}");
    assert!(pair.reply(1, Body::Copied(b"")));
    let sent: Vec<_> = pair.sent().iter().map(|f| (f.kind, f.flags)).collect();
    assert_eq!(sent, [(HEADERS, 4), (HEADERS, 5), (RST_STREAM, 0)]);
    pair.send(&[data(1, END_STREAM, b"late"), request(3, "/a", b"")].concat());
    assert_eq!(pair.events(), [whole(3, "/a", b"")]);
}

#[test]
fn trailers_end_a_body() {
    let mut pair = Pair::new();
    let trailers = |stream| headers(stream, END_STREAM, &fields(&[("x-sum", "7")]));
    pair.send(&[headers(1, 0, &post("/stream")), data(1, 0, b"a"), trailers(1)].concat());
    let sum = vec![("x-sum".to_owned(), "7".to_owned())];
    let expected = [
        head(1, "/stream", false),
        piece(1, b"a", false),
        Seen::Trailers { stream: 1, fields: sum },
    ];
    assert_eq!(pair.events(), expected);
    pair.send(&[headers(3, 0, &post("/a")), data(3, 0, b"a"), trailers(3)].concat());
    assert_eq!(pair.events(), [whole(3, "/a", b"a")]);
}

#[test]
fn long_metadata_may_come_in_many_frames() {
    let mut pair = Pair::new();
    let list: Vec<_> = (0..100).map(|n| format!("x-field-{n}")).collect();
    let more: Vec<u8> = list.iter().flat_map(|name| field(name, &[b'v'; 300])).collect();
    let block = [post("/a"), more].concat();
    let mut bytes = frame(HEADERS, END_STREAM, 1, &block[..10]);
    let parts: Vec<_> = block[10..].chunks(200).collect();
    for (number, part) in parts.iter().enumerate() {
        let flags = if number + 1 == parts.len() { END_HEADERS } else { 0 };
        bytes.extend(frame(CONTINUATION, flags, 1, part));
    }
    pair.send(&bytes);
    assert_eq!(pair.events(), [whole(1, "/a", b"")]);
}

#[test]
fn a_cancelled_request_is_reported_whether_its_owner_knew_of_it_or_not() {
    let mut pair = Pair::new();
    pair.send(
        &[request(1, "/a", b""), headers(3, 0, &post("/b")), headers(5, 0, &post("/c"))].concat(),
    );
    pair.events();
    let cancel = |stream| reset(stream, Code::CANCEL);
    pair.send(&[cancel(1), cancel(3), cancel(1)].concat());
    let path = "/b".to_owned();
    assert_eq!(
        pair.events(),
        [
            Seen::Reset { stream: 1, code: Code::CANCEL, refused: None },
            Seen::GivenUp { stream: 3, path, code: Code::CANCEL },
        ]
    );
    assert!(!pair.reply(1, Body::Copied(b"late")));
    assert_eq!(pair.connection.open_streams(), 1);
    pair.send(&frame(GOAWAY, 0, 0, &[0; 8]));
    assert_eq!(pair.events(), [Seen::GoAway(Code::NO_ERROR)]);
}

#[test]
fn priorities_and_unknown_frames_change_nothing() {
    let mut pair = Pair::new();
    let with_priority = [&[0, 0, 0, 0, 16][..], &post("/a")].concat();
    let bytes = [
        frame(PRIORITY, 0, 9, &[0, 0, 0, 7, 1]),
        frame(0x42, 0xff, 0, b"whatever"),
        frame(HEADERS, END_STREAM | END_HEADERS | WITH_PRIORITY, 1, &with_priority),
        frame(0x10, 0, 1, b"u=1"),
    ];
    pair.send(&bytes.concat());
    assert_eq!(pair.events(), [whole(1, "/a", b"")]);
    assert_eq!(pair.failed, None);
}
