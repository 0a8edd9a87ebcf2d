//! Bytes that are cut anywhere bring the same events and the same output.

use tiny_cache_http2::{Body, Code, Limits};

use super::support::*;

/// Everything that a client may send, once.
fn script() -> Vec<u8> {
    let padded = [&[3][..], &post("/a"), &[0; 3]].concat();
    let indexed = [post("/b"), vec![0x40, 12], b"x-request-id".to_vec(), vec![1, b'7']].concat();
    [
        PREFACE.to_vec(),
        settings(&[(4, 70_000), (1, 0)]),
        frame(SETTINGS, ACK, 0, &[]),
        request(1, "/a", b"one"),
        frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 3, &padded),
        headers(5, 0, &indexed),
        data(5, PADDED | END_STREAM, &[2, b'x', 0, 0]),
        frame(PING, 0, 0, b"12345678"),
        frame(HEADERS, 0, 7, &post("/stream")[..3]),
        frame(CONTINUATION, 0, 7, &post("/stream")[3..9]),
        frame(CONTINUATION, END_HEADERS, 7, &[&post("/stream")[9..], &[0xbe]].concat()),
        data(7, 0, b"piece"),
        window_update(7, 5),
        data(7, PADDED, &[1, b'p', 0]),
        headers(7, END_STREAM, &fields(&[("x-sum", "1")])),
        headers(9, END_STREAM, &fields(&[("Bad", "1")])),
        headers(11, 0, &post("/stream")),
        reset(11, Code::CANCEL),
        [headers(13, 0, &post("/c")), data(13, 0, b"two"), data(13, END_STREAM, b"")].concat(),
        frame(0x77, 0, 0, b"unknown"),
        frame(GOAWAY, 0, 0, &[0; 8]),
    ]
    .concat()
}

/// Plays the script in pieces, with replies to whatever is complete, and joins what depends on
/// the cuts: pieces of a body.
fn play(pieces: &[&[u8]]) -> (Vec<Seen>, Vec<u8>) {
    let mut pair = Pair::silent(Limits::default());
    let mut out = Vec::new();
    let mut seen = Vec::new();
    for piece in pieces {
        pair.send(piece);
        for event in pair.events() {
            if let Seen::Request { stream, .. } = event {
                pair.reply(stream, Body::Copied(b"reply"));
            }
            seen.push(event);
        }
        out.extend(pair.written());
    }
    assert_eq!(pair.failed, None);
    (seen, out)
}

#[test]
fn two_pieces_are_as_good_as_one() {
    let script = script();
    let (events, out) = play(&[&script]);
    assert_eq!(events.len(), 12);
    // What is written at the end of a piece only differs in where it stands among replies.
    let expected = sorted(&out);
    for cut in 0..script.len() {
        let (first, second) = script.split_at(cut);
        let (again, written) = play(&[first, second]);
        assert_eq!(again, events, "cut at {cut}");
        assert_eq!(sorted(&written), expected, "cut at {cut}");
    }
}

#[test]
fn pieces_of_any_size_are_as_good_as_one() {
    let script = script();
    let (events, out) = play(&[&script]);
    for size in 1..64 {
        let pieces: Vec<_> = script.chunks(size).collect();
        let (again, written) = play(&pieces);
        assert_eq!(again, events, "in pieces of {size}");
        assert_eq!(sorted(&written), sorted(&out), "in pieces of {size}");
    }
}

fn sorted(out: &[u8]) -> Vec<(u32, u8, u8, Vec<u8>)> {
    let frames = frames(out).into_iter();
    // An encoder without a table says so in the block that happens to be the first.
    let block = |f: &Frame| f.payload.strip_prefix(&[0x20]).unwrap_or(&f.payload).to_vec();
    let mut frames: Vec<_> = frames.map(|f| (f.stream, f.kind, f.flags, block(&f))).collect();
    frames.sort();
    frames
}
