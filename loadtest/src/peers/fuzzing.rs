//! The replies of other caches, cut out of any bytes. Built with `--cfg fuzzing` alone.

use std::fmt::Debug;

use bytes::BytesMut;

use super::{memcached, pipeline::Speech, redis};

/// Cuts a stream of Redis. Its first byte is the size of the packets.
///
/// # Panics
/// The packets lead to other pieces, or to another refusal.
pub fn redis_reply(bytes: &[u8]) {
    same_in_packets::<redis::wire::Cutter>(bytes);
}

/// Cuts a stream of memcached. Its first byte is the size of the packets.
///
/// # Panics
/// The packets lead to other pieces, or to another refusal.
pub fn memcached_reply(bytes: &[u8]) {
    same_in_packets::<memcached::wire::Cutter>(bytes);
}

fn same_in_packets<S: Speech<Piece: PartialEq>>(bytes: &[u8]) {
    let Some((packet, stream)) = bytes.split_first() else { return };
    let packet = usize::from(*packet).max(1);
    let whole = cut::<S>(stream, stream.len().max(1));
    assert_eq!(cut::<S>(stream, packet), whole, "in packets of {packet} bytes");
}

/// The pieces of a stream, and what is left of it or why it was refused.
fn cut<S: Speech<Piece: Debug>>(
    stream: &[u8],
    packet: usize,
) -> (Vec<S::Piece>, Result<BytesMut, String>) {
    let (mut cutter, mut input, mut pieces) = (S::default(), BytesMut::new(), Vec::new());
    for packet in stream.chunks(packet) {
        input.extend_from_slice(packet);
        loop {
            match cutter.cut(&mut input) {
                Ok(Some(piece)) => pieces.push(piece),
                Ok(None) => break,
                Err(why) => return (pieces, Err(why)),
            }
        }
    }
    (pieces, Ok(input))
}
