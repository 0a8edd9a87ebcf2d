//! One function for each surface that takes a stranger's bytes, for fuzzers. Each must return
//! for any input, and must not panic.

use std::{io::IoSlice, sync::Arc, time::Instant};

use crate::{
    Block, Body, Config, Connection, Event, Head, Lane, Limits, Reply, Workspace,
    head::{Collector, Section},
    hpack::Decoder,
    names::Names,
};

fn lane(head: &Head) -> Lane {
    if head.path().len().is_multiple_of(2) { Lane::Whole } else { Lane::Stream }
}

/// Decodes header blocks with one table. Each begins with a byte that holds its length.
pub fn hpack(mut bytes: &[u8]) {
    let names = Names::new(&["te", "content-type", "x-request-id"]);
    let mut decoder = Decoder::new();
    let (mut head, mut scratch) = (Head::default(), Vec::new());
    while let Some((length, rest)) = bytes.split_first() {
        let (block, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = rest;
        let mut collector = Collector::new(&mut head, Section::Request, lane, 300);
        if decoder.decode(block, &names, &mut scratch, &mut collector).is_err() {
            return;
        }
        collector.finish();
    }
}

/// Lets a connection receive bytes behind a preface and SETTINGS, in pieces of `piece` bytes,
/// answers what it asks, and writes half of what it could each time.
pub fn connection(bytes: &[u8], piece: usize) {
    let limits =
        Limits { streams: 8, gather_bytes: 64, pinned_bytes: 1 << 10, ..Limits::default() };
    let now = Instant::now();
    let config = Arc::new(Config::new(&["x-request-id"], lane, limits));
    let mut connection = Connection::server(config, now);
    let mut work = Workspace::default();
    let opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for piece in std::iter::once(&opening[..]).chain(bytes.chunks(piece.max(1))) {
        let mut input = piece;
        loop {
            let mut answered = None;
            match connection.receive(&mut input, now, &mut work) {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some(Event::Request { stream, body, .. })) => {
                    answered = Some((stream, body.to_vec()));
                }
                Ok(Some(Event::Data { stream, bytes, end })) => {
                    let size = bytes.len();
                    connection.release(stream, size);
                    answered = end.then(|| (stream, vec![0; size]));
                }
                Ok(Some(
                    Event::Head { stream, end: true, .. } | Event::Trailers { stream, .. },
                )) => {
                    answered = Some((stream, vec![0; 100_000]));
                }
                Ok(Some(_)) => {}
            }
            if let Some((stream, body)) = answered {
                answer(&mut connection, stream, &body);
            }
        }
        let mut slices = [IoSlice::new(&[]); 4];
        let used = connection.output(&mut slices);
        let half = slices[..used].iter().map(|slice| slice.len()).sum::<usize>().div_ceil(2);
        connection.consumed(half, now, &mut work);
    }
}

fn answer(connection: &mut Connection, stream: crate::StreamId, body: &[u8]) {
    let (head, trailers) = (Block::status(200), Block::empty().field("grpc-status", "0"));
    let body = Body::Copied(body);
    let reply = Reply { head: &head, fields: &[], body, trailers: &trailers, trailer_fields: &[] };
    // The stream may have been reset.
    let _ = connection.reply(stream, reply);
}
