//! What a peer can make this side do, hold and send.

use std::time::Duration;

use bytes::Bytes;
use tiny_cache_http2::{Body, Code, ConnectionError, ErrorKind, Limits};

use super::support::*;

/// How many of these the peer may send until the connection fails, and why it does.
fn until_it_fails(pair: &mut Pair, mut next: impl FnMut(u32) -> Vec<u8>) -> (u32, ConnectionError) {
    for number in 0..100_000 {
        pair.send(&next(number));
        pair.sent();
        if let Some(error) = pair.failed {
            return (number, error);
        }
    }
    panic!("the connection never fails");
}

fn flood(next: impl FnMut(u32) -> Vec<u8>) -> (u32, &'static str) {
    let mut pair = Pair::new();
    pair.send(&headers(1, 0, &post("/stream")));
    let (count, error) = until_it_fails(&mut pair, next);
    assert_eq!((error.kind, error.code), (ErrorKind::Flood, Code::ENHANCE_YOUR_CALM));
    (count, error.reason)
}

#[test]
fn frames_that_bring_nothing_are_limited() {
    let ping = frame(PING, 0, 0, &[0; 8]);
    assert_eq!(flood(|_| ping.clone()), (256, "too many PING frames"));
    let pong = frame(PING, ACK, 0, &[0; 8]);
    assert_eq!(flood(|_| pong.clone()), (256, "too many PING frames"));
    // Two were sent with the handshake.
    assert_eq!(flood(|_| settings(&[])), (62, "too many SETTINGS frames"));
    let acknowledged = frame(SETTINGS, ACK, 0, &[]);
    assert_eq!(flood(|_| acknowledged.clone()), (62, "too many SETTINGS frames"));
    let goaway = frame(GOAWAY, 0, 0, &[0; 8]);
    assert_eq!(flood(|_| goaway.clone()), (256, "too many frames that are ignored"));
    let priority = frame(PRIORITY, 0, 1, &[0; 5]);
    assert_eq!(flood(|_| priority.clone()), (256, "too many frames that are ignored"));
    let unknown = frame(0xbe, 0, 0, &[]);
    assert_eq!(flood(|_| unknown.clone()), (256, "too many frames that are ignored"));
    assert_eq!(flood(|_| data(1, 0, b"")), (256, "too many empty DATA frames"));
    let few = data(1, 0, &[0; 15]);
    assert_eq!(flood(|_| few.clone()), (2048, "too many DATA frames of a few bytes"));
    let padded = data(1, PADDED, &[3, 0, 0, 0]);
    assert_eq!(flood(|_| padded.clone()), (256, "too many empty DATA frames"));
    assert_eq!(flood(|_| window_update(1, 1)), (2048, "too many WINDOW_UPDATE frames"));
    assert_eq!(flood(|_| window_update(0, 1)), (2048, "too many WINDOW_UPDATE frames"));
    assert_eq!(flood(|_| reset(1, Code::CANCEL)), (2048, "too many streams were reset"));
}

/// Each parameter may walk over all streams, and a frame has room for 2,730.
#[test]
fn settings_with_many_parameters_cost_more() {
    let parameters: Vec<_> = (0..2_730).map(|number| (4, number % 2)).collect();
    let long = settings(&parameters);
    assert_eq!(flood(|_| long.clone()), (0, "too many SETTINGS frames"));
    let usual = settings(&parameters[..15]);
    assert_eq!(flood(|_| usual.clone()), (62, "too many SETTINGS frames"));
}

/// Each let a byte go, and each byte paid for four of them.
#[test]
fn windows_of_a_byte_do_not_pay_for_themselves() {
    let mut pair = Pair::new();
    pair.send(&[settings(&[(4, 0)]), window_update(0, 1 << 20)].concat());
    pair.send(&request(1, "/a", b""));
    pair.reply(1, Body::Lent([Bytes::from(vec![0; 1 << 20])].into()));
    let (count, error) = until_it_fails(&mut pair, |_| window_update(1, 1));
    assert_eq!((count, error.reason), (2047, "too many WINDOW_UPDATE frames"));
}

#[test]
fn copies_that_wait_are_counted_until_they_are_gone() {
    let mut pair = Pair::new();
    pair.send(&[settings(&[(4, 0)]), window_update(0, 1 << 20)].concat());
    pair.sent();
    let copied = |pair: &mut Pair| {
        pair.sent();
        pair.connection.copied_bytes()
    };
    for (number, body) in [
        Body::Copied(&[b'x'; 50_000]),
        Body::Lent([Bytes::from(vec![0; 100]), Bytes::from(vec![0; 20_000])].into()),
    ]
    .into_iter()
    .enumerate()
    {
        let stream = 2 * number as u32 + 1;
        pair.send(&request(stream, "/a", b""));
        pair.reply(stream, body);
    }
    assert_eq!(copied(&mut pair), 50_100);
    pair.send(&window_update(1, 50_000));
    assert_eq!(copied(&mut pair), 100);
    pair.send(&reset(3, Code::CANCEL));
    assert_eq!(copied(&mut pair), 0);
    pair.send(&frame(PING, 0, 0, &[0; 8]));
    assert_eq!(pair.connection.copied_bytes(), 17, "what is not written counts, too");
}

/// CVE-2023-44487, with the request before each reset.
#[test]
fn requests_that_are_reset_at_once_are_limited() {
    let count = flood(|number| {
        let stream = 2 * number + 3;
        [request(stream, "/a", b""), reset(stream, Code::CANCEL)].concat()
    });
    assert_eq!(count, (2048, "too many streams were reset"));
}

/// CVE-2025-8671: the peer makes this side reset the streams.
#[test]
fn requests_that_must_be_reset_are_limited() {
    let reason = "too many streams had to be reset";
    let count = flood(|number| {
        let stream = 2 * number + 3;
        [request(stream, "/a", b""), window_update(stream, 0)].concat()
    });
    assert_eq!(count, (512, reason));
    let count = flood(|number| headers(2 * number + 3, 5, &fields(&[("Bad", "")])));
    assert_eq!(count, (512, reason));
}

#[test]
fn requests_with_too_many_fields_are_limited() {
    let long = field("a", &[b'v'; 9000]);
    let block = [post("/a"), long].concat();
    let limits = Limits { header_list_bytes: 8000, ..Limits::default() };
    let mut pair = Pair::with(limits);
    let (count, error) = until_it_fails(&mut pair, |number| {
        let stream = 2 * number + 1;
        [headers(stream, END_STREAM, &block), reset(stream, Code::CANCEL)].concat()
    });
    assert_eq!((count, error.reason), (512, "too many streams had to be reset"));
}

#[test]
fn requests_after_the_end_are_limited() {
    let mut pair = Pair::new();
    let now = pair.now;
    pair.connection.drain(now);
    let ping = pair.sent().pop().unwrap();
    pair.send(&[request(1, "/a", b""), frame(PING, ACK, 0, &ping.payload)].concat());
    let next = |number| request(2 * number + 3, "/b", b"");
    let (count, error) = until_it_fails(&mut pair, next);
    assert_eq!((count, error.reason), (2048, "too many streams were reset"));
}

#[test]
fn a_client_that_works_may_ping_and_update_windows_for_ever() {
    let mut pair = Pair::new();
    for stream in (1..40_000).step_by(2) {
        let more =
            [frame(PING, 0, 0, &[0; 8]), window_update(0, 5), frame(PRIORITY, 0, 1, &[0; 5])];
        pair.send(&[more.concat(), request(stream, "/a", b"x")].concat());
        assert!(pair.reply(stream, Body::Copied(b"reply")), "{stream}");
        pair.send(&[window_update(stream, 5), reset(stream, Code::NO_ERROR)].concat());
        pair.events();
        pair.sent();
        pair.ids.clear();
    }
    assert_eq!(pair.failed, None);
}

#[test]
fn time_allows_more() {
    let mut pair = Pair::new();
    for _ in 0..100 {
        for _ in 0..16 {
            pair.send(&frame(PING, 0, 0, &[0; 8]));
        }
        pair.sent();
        pair.wait(Duration::from_secs(1));
    }
    assert_eq!(pair.failed, None);
}

#[test]
fn a_header_block_has_an_end() {
    let mut pair = Pair::new();
    pair.send(&frame(HEADERS, 0, 1, b""));
    let (count, error) = until_it_fails(&mut pair, |_| frame(CONTINUATION, 0, 1, b""));
    assert_eq!((count, error.reason), (255, "a header block in too many frames"));
    let mut pair = Pair::new();
    pair.send(&frame(HEADERS, 0, 1, b""));
    let (count, error) = until_it_fails(&mut pair, |_| frame(CONTINUATION, 0, 1, &[0; 16384]));
    assert_eq!((count, error.reason), (6, "a header block with too many bytes"));
}

/// A block of a few bytes that refers to one long field again and again.
#[test]
fn a_block_that_grows_when_it_is_decoded_is_counted_and_not_kept() {
    let mut pair = Pair::new();
    let long = [&[0x40, 1, b'a'][..], &field("", &[b'v'; 4000])[2..]].concat();
    pair.send(&headers(1, END_STREAM, &[post("/a"), long].concat()));
    pair.events();
    let bomb = [post("/a"), vec![0xbe; 16_000]].concat();
    pair.send(&headers(3, END_STREAM, &bomb));
    let [Seen::TooLarge { bytes, .. }] = pair.events()[..] else { panic!() };
    assert!(bytes > 16_000 * 4000);
    assert_eq!(pair.failed, None);
    // Each costs by its size.
    let next =
        |number| headers(2 * number + 5, END_STREAM, &[post("/a"), vec![0xbe; 16_000]].concat());
    let (count, error) = until_it_fails(&mut pair, next);
    assert_eq!((count, error.reason), (7, "too many streams had to be reset"));
}

#[test]
fn a_peer_that_does_not_read_is_not_read() {
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(200);
    let body = [b'x'; 4000];
    let mut pair = Pair::with(Limits { pinned_bytes: usize::MAX, ..Limits::default() });
    pair.send(&[settings(&[(4, 1 << 30)]), window_update(0, 1 << 30)].concat());
    for stream in (1..).step_by(2).take_while(|stream| *stream < 400) {
        if !pair.connection.wants_input() {
            break;
        }
        pair.send(&request(stream, "/a", b"x"));
        pair.reply(stream, Body::Copied(&body));
    }
    assert!(!pair.connection.wants_input());
    assert_eq!(pair.send(&pings), 0, "it waits until the output is written");
    pair.sent();
    assert!(pair.connection.wants_input());
    assert_eq!(pair.send(&pings), pings.len());
}

#[test]
fn large_replies_fill_the_output_to_its_bound() {
    let mut pair = Pair::new();
    pair.send(&[settings(&[(4, 1 << 30)]), window_update(0, 1 << 30)].concat());
    pair.send(&request(1, "/a", b""));
    pair.reply(1, Body::Lent([Bytes::from(vec![0; 4 << 20])].into()));
    let mut slices = [std::io::IoSlice::new(&[]); 1000];
    let used = pair.connection.output(&mut slices);
    let bytes: usize = slices[..used].iter().map(|slice| slice.len()).sum();
    assert!((256 << 10..300 << 10).contains(&bytes), "{bytes}");
    let sent = pair.sent();
    assert_eq!(sent.iter().map(|f| f.payload.len()).sum::<usize>() / 1000, (4 << 20) / 1000);
}
