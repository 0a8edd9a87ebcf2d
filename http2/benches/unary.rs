//! The cost of a unary call in the engine, without sockets and without a store: 32 requests in
//! one read, each answered with 64 bytes, and the replies taken as written.
//!
//! `cargo bench -p tiny-cache-http2`. It prints the least of many rounds, since on a machine that
//! others use the rest is theirs. To compare with: the targets in the lines themselves.

use std::{hint::black_box, io::IoSlice, sync::Arc, time::Instant};

use tiny_cache_http2::{
    Block, Body, Config, Connection, Event, FieldName, Lane, Limits, Reply, Workspace,
};

const BATCH: usize = 32;
/// Rounds are short, so that some of them are not interrupted.
const ROUNDS: usize = 2000;
const READS: usize = 50;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn literal(first: &[u8], name: Option<&str>, value: &str) -> Vec<u8> {
    let mut block = first.to_vec();
    for text in name.into_iter().chain([value]) {
        block.push(text.len() as u8);
        block.extend_from_slice(text.as_bytes());
    }
    block
}

/// The fields that grpc-go and grpcio send, entered into the table.
fn first_block() -> Vec<u8> {
    [
        vec![0x83, 0x86],
        literal(&[0x44], None, "/cache.CacheService/Get"),
        literal(&[0x41], None, "127.0.0.1:50051"),
        literal(&[0x5f], None, "application/grpc"),
        literal(&[0x40], Some("te"), "trailers"),
        literal(&[0x7a], None, "grpc-python/1.76.0 grpc-c/51.0.0 (linux; chttp2)"),
        literal(&[0x40], Some("grpc-accept-encoding"), "identity, deflate, gzip"),
        literal(&[0x40], Some("x-cache-namespace"), "team"),
    ]
    .concat()
}

/// The same fields by their places in the table.
const LATER_BLOCK: [u8; 9] = [0x83, 0x86, 0xc4, 0xc3, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe];

/// `traceparent`, 55 characters of it Huffman-coded, without a place in the table.
fn trace_context() -> Vec<u8> {
    // "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" in RFC 7541's code.
    let coded: [u8; 39] = [
        0x00, 0x16, 0x00, 0xe5, 0x75, 0xc6, 0xc2, 0xf8, 0x5c, 0x24, 0x8d, 0x33, 0x24, 0x8f, 0x34,
        0xd3, 0xc5, 0x8c, 0x41, 0x09, 0x1e, 0x03, 0x21, 0x7c, 0x8b, 0x46, 0xe8, 0xe4, 0x72, 0x37,
        0x42, 0xe3, 0xe2, 0x03, 0x2c, 0xb2, 0x15, 0x80, 0x1f,
    ];
    let mut block = literal(&[0x00], Some("traceparent"), "");
    block.pop();
    block.push(0x80 | coded.len() as u8);
    block.extend_from_slice(&coded);
    block
}

struct Bench {
    connection: Connection,
    work: Workspace,
    head: Block,
    trailers: Block,
    request_id: FieldName,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let names = [
            "content-type",
            "te",
            "x-cache-namespace",
            "x-request-id",
            "grpc-timeout",
            "grpc-encoding",
            "traceparent",
            "authorization",
        ];
        let config = Arc::new(Config::new(&names, |_| Lane::Whole, Limits::default()));
        let now = Instant::now();
        let mut bench = Self {
            connection: Connection::server(config, now),
            work: Workspace::default(),
            head: Block::status(200).field("content-type", "application/grpc"),
            trailers: Block::empty().field("grpc-status", "0"),
            request_id: FieldName::new("x-request-id"),
            now,
        };
        let opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        let window = frame(8, 0, 0, &(1u32 << 30).to_be_bytes());
        bench.turn(&[opening, frame(4, 1, 0, &[]), window].concat());
        bench
    }

    /// A turn as a worker makes it. Returns how many calls were answered.
    fn turn(&mut self, mut input: &[u8]) -> usize {
        let body = [b'v'; 64];
        let mut calls = 0;
        loop {
            let event = self.connection.receive(&mut input, self.now, &mut self.work);
            let Some(event) = event.expect("nothing is wrong with the requests") else { break };
            if let Event::Request { stream, head, body: message, .. } = event {
                black_box((head.path(), head.kept(2), head.kept(6), message));
                let reply = Reply {
                    head: &self.head,
                    fields: &[(&self.request_id, b"0123456789abcdef")],
                    body: Body::Copied(&body),
                    trailers: &self.trailers,
                    trailer_fields: &[],
                };
                self.connection.reply(stream, reply).expect("it was just asked");
                calls += 1;
            }
        }
        let mut slices = [IoSlice::new(&[]); 8];
        let used = self.connection.output(&mut slices);
        let written = black_box(&slices[..used]).iter().map(|slice| slice.len()).sum();
        self.connection.consumed(written, self.now, &mut self.work);
        calls
    }
}

/// Measures calls whose blocks are `block`, after one with `first`.
fn measure(name: &str, target: &str, block: &[u8]) {
    let mut bench = Bench::new();
    bench.turn(&[frame(1, 4, 1, &first_block()), frame(0, 1, 1, &[b'k'; 20])].concat());
    let mut stream = 3;
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        let reads: Vec<Vec<u8>> = (0..READS)
            .map(|_| {
                let mut bytes = Vec::new();
                for _ in 0..BATCH {
                    bytes.extend(frame(1, 4, stream, block));
                    bytes.extend(frame(0, 1, stream, &[b'k'; 20]));
                    stream += 2;
                }
                bytes
            })
            .collect();
        let start = Instant::now();
        let calls: usize = reads.iter().map(|read| bench.turn(read)).sum();
        let took = start.elapsed();
        assert_eq!(calls, READS * BATCH);
        least = least.min(took.as_nanos() as f64 / calls as f64);
        // The client grants what it has read.
        bench.turn(&frame(8, 0, 0, &((calls * 64) as u32).to_be_bytes()));
    }
    #[expect(clippy::print_stdout, reason = "a bench prints its figures")]
    {
        println!("{name:<40} {least:>7.1} ns a call   (target: {target})");
    }
}

fn main() {
    measure("fields by their places in the table", "150 ns", &LATER_BLOCK);
    let traced = [&LATER_BLOCK[..], &trace_context()].concat();
    measure("and a traceparent, Huffman-coded", "300 ns", &traced);
    measure("every field a literal", "600 ns", &literals());
}

/// The fields of the first block, none of which enters the table.
fn literals() -> Vec<u8> {
    [
        vec![0x83, 0x86],
        literal(&[0x04], None, "/cache.CacheService/Get"),
        literal(&[0x01], None, "127.0.0.1:50051"),
        literal(&[0x0f, 0x10], None, "application/grpc"),
        literal(&[0x00], Some("te"), "trailers"),
        literal(&[0x0f, 0x2b], None, "grpc-python/1.76.0 grpc-c/51.0.0 (linux; chttp2)"),
        literal(&[0x00], Some("grpc-accept-encoding"), "identity, deflate, gzip"),
        literal(&[0x00], Some("x-cache-namespace"), "team"),
    ]
    .concat()
}
