use super::*;
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, duplex};

use crate::transport::by_hyper::frames::{DATA, END_STREAM};

/// `:method: POST` and a literal `:authority`.
fn fields(authority: &str, more: usize) -> Vec<u8> {
    let mut fields = vec![0x83, 0x41, authority.len() as u8];
    fields.extend_from_slice(authority.as_bytes());
    // Indexed: `accept-encoding: gzip, deflate`.
    fields.resize(fields.len() + more, 0x90);
    fields
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Head { length: payload.len(), kind, flags, stream }.encode().to_vec();
    frame.extend_from_slice(payload);
    frame
}

/// A block in frames of `size` bytes.
fn block(stream: u32, fields: &[u8], size: usize) -> Vec<u8> {
    let parts: Vec<_> = fields.chunks(size).collect();
    let mut frames = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let kind = if number == 0 { HEADERS } else { CONTINUATION };
        let flags = if number + 1 == parts.len() { END_HEADERS } else { 0 };
        frames.extend(frame(kind, flags, stream, part));
    }
    frames
}

/// What the library reads of `sent`, which comes in parts, into buffers of `room` bytes.
async fn read(sent: Vec<u8>, part: usize, room: usize) -> (Vec<u8>, Streams) {
    let (mut near, mut far) = duplex(part);
    let writer = async move { far.write_all(&sent).await.unwrap() };
    let reader = async move {
        let (mut blocks, mut streams) = (Blocks::default(), Streams::default());
        let (mut seen, mut buffer) = (Vec::new(), vec![0; room]);
        loop {
            let mut out = ReadBuf::new(&mut buffer);
            std::future::poll_fn(|cx| blocks.poll_read(&mut near, cx, &mut out, &mut streams))
                .await
                .unwrap();
            if out.filled().is_empty() {
                return (seen, streams);
            }
            seen.extend_from_slice(out.filled());
        }
    };
    tokio::join!(writer, reader).1
}

fn read_now(sent: Vec<u8>, part: usize, room: usize) -> (Vec<u8>, Streams) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(read(sent, part, room))
}

fn after_preface(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frames.concat());
    bytes
}

proptest! {
    /// However the bytes are cut, on the way here and from here.
    #[test]
    fn a_connection_is_mended_and_otherwise_unchanged(
        part in 1..200usize,
        room in 1..200usize,
        size in 1..80usize,
    ) {
        let good = fields("cache.test:50051", 100);
        let bad = fields("ipv4:10.0.0.1:1,10.0.0.2:1", 100);
        let mended = fields("xxxxxxxxxxxxxxxxxxxxxxxxxx", 100);
        let data = frame(DATA, END_STREAM, 1, &[1; 150]);
        let settings = frame(4, 0, 0, &[0; 6]);
        let whole = good.len();
        let sent = [
            settings.clone(),
            block(1, &good, whole),
            data.clone(),
            block(3, &good, size),
            block(5, &bad, size),
            data.clone(),
            block(7, &bad, whole),
        ];
        let expected = [
            settings,
            block(1, &good, whole),
            data.clone(),
            block(3, &good, whole),
            block(5, &mended, 1000),
            data,
            block(7, &mended, 1000),
        ];
        let (seen, streams) = read_now(after_preface(&sent), part, room);
        prop_assert_eq!(seen, after_preface(&expected));
        prop_assert!(!streams.calls().none_open);
    }

    /// Bytes that are no HTTP/2 pass, whatever they look like.
    #[test]
    fn anything_passes_to_its_end(bytes in prop::collection::vec(0..16u8, 0..300), part in 1..50usize) {
        let (seen, _) = read_now(after_preface(std::slice::from_ref(&bytes)), part, 64);
        prop_assert!(seen.len() <= bytes.len() + 400);
        prop_assert!(seen.starts_with(b"PRI"));
    }
}

#[tokio::test]
async fn a_block_is_joined_in_as_few_frames_as_it_takes() {
    let long = fields("localhost", 40_000);
    let (seen, _) = read(after_preface(&[block(1, &long, 200)]), 5000, 5000).await;
    assert_eq!(seen, after_preface(&[block(1, &long, FRAME_BYTES)]));
}

#[tokio::test]
async fn padding_goes_and_the_priority_stays() {
    let fields = fields("a a", 3);
    let mut payload = vec![4];
    payload.extend([0, 0, 0, 0, 15]);
    payload.extend(&fields);
    payload.extend([0; 4]);
    let flags = END_HEADERS | END_STREAM | PADDED | PRIORITY;
    let sent = frame(HEADERS, flags, 1, &payload);
    let (seen, _) = read(after_preface(&[sent]), 5000, 5000).await;
    let mut mended = vec![0, 0, 0, 0, 15];
    mended.extend(super::authority::replaced(&fields).unwrap().block);
    let flags = END_HEADERS | END_STREAM | PRIORITY;
    assert_eq!(seen, after_preface(&[frame(HEADERS, flags, 1, &mended)]));
}

#[tokio::test]
async fn a_flood_of_frames_passes_to_the_library() {
    let mut flood = frame(HEADERS, 0, 1, &fields("a a", 0));
    for _ in 0..2 * BLOCK_FRAMES {
        flood.extend(frame(CONTINUATION, 0, 1, &[]));
    }
    let sent = after_preface(&[flood]);
    let (seen, _) = read(sent.clone(), 5000, 5000).await;
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn a_block_that_another_frame_interrupts_passes_to_the_library() {
    let mut broken = frame(HEADERS, 0, 1, &fields("a a", 0));
    broken.extend(frame(DATA, 0, 1, b"x"));
    let sent = after_preface(&[broken]);
    let (seen, _) = read(sent.clone(), 5000, 5000).await;
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn the_end_of_the_connection_passes_what_was_held() {
    let mut cut = frame(HEADERS, END_HEADERS, 1, &fields("a a", 0));
    cut.pop();
    let sent = after_preface(&[cut]);
    let (mut near, mut far) = duplex(5000);
    far.write_all(&sent).await.unwrap();
    far.shutdown().await.unwrap();
    let (mut blocks, mut streams) = (Blocks::default(), Streams::default());
    let mut seen = Vec::new();
    let mut buffer = [0; 64];
    loop {
        let mut out = ReadBuf::new(&mut buffer);
        std::future::poll_fn(|cx| blocks.poll_read(&mut near, cx, &mut out, &mut streams))
            .await
            .unwrap();
        if out.filled().is_empty() {
            break;
        }
        seen.extend_from_slice(out.filled());
    }
    assert_eq!(seen, sent);
}

/// The library would warn of an answer to a PING that it never sent.
#[tokio::test]
async fn the_answer_to_our_own_ping_does_not_pass() {
    let ping = |flags, payload: &[u8]| frame(PING, flags, 0, payload);
    let passing = [ping(0, &PING_PAYLOAD), ping(ACK, b"theirown")];
    let sent = [passing[0].clone(), ping(ACK, &PING_PAYLOAD), passing[1].clone()];
    for part in [1, 7, 5000] {
        let (seen, streams) = read(after_preface(&sent), part, 5000).await;
        assert_eq!(seen, after_preface(&passing));
        assert_eq!(streams.pongs(), 1);
    }
}
