//! What a connection holds while nothing happens on it, and what a small call allocates, by an
//! allocator that counts.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::IoSlice,
    sync::Arc,
    time::Instant,
};

use tiny_cache_http2::{Block, Body, Config, Connection, Event, Lane, Limits, Reply, Workspace};

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "only an allocator sees what is allocated; it adds and delegates")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get() + layout.size() as isize);
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A call as clients of gRPC send it first: seven fields for the table.
fn first_block() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (":path", "/cache.CacheService/Get"),
        (":authority", "127.0.0.1:50051"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "grpc-python/1.76.0 grpc-c/51.0.0 (linux; chttp2)"),
        ("grpc-accept-encoding", "identity, deflate, gzip"),
        ("x-cache-namespace", "team"),
    ] {
        block.push(0x40);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

struct Owner {
    work: Workspace,
    head: Block,
    trailers: Block,
    now: Instant,
}

impl Owner {
    fn turn(&mut self, connection: &mut Connection, mut input: &[u8]) -> usize {
        let mut calls = 0;
        while let Some(event) = connection.receive(&mut input, self.now, &mut self.work).unwrap() {
            let Event::Request { stream, .. } = event else { continue };
            let reply = Reply {
                head: &self.head,
                fields: &[],
                body: Body::Copied(&[b'v'; 64]),
                trailers: &self.trailers,
                trailer_fields: &[],
            };
            connection.reply(stream, reply).unwrap();
            calls += 1;
        }
        let mut slices = [IoSlice::new(&[]); 4];
        let used = connection.output(&mut slices);
        let written = slices[..used].iter().map(|slice| slice.len()).sum();
        connection.consumed(written, self.now, &mut self.work);
        calls
    }
}

#[test]
fn an_idle_connection_is_small_and_a_small_call_allocates_nothing() {
    let lane = |_: &tiny_cache_http2::Head| Lane::Whole;
    let config = Arc::new(Config::new(&["x-cache-namespace"], lane, Limits::default()));
    let mut owner = Owner {
        work: Workspace::default(),
        head: Block::status(200),
        trailers: Block::empty().field("grpc-status", "0"),
        now: Instant::now(),
    };
    let opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let opening = [opening, frame(4, 1, 0, &[])].concat();
    // 32 calls at once, the first with its fields written out.
    let later = [0x83, 0x86, 0xc4, 0xc3, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe];
    let batch = |from: u32| -> Vec<u8> {
        (0..32)
            .flat_map(|number| {
                let stream = from + 2 * number;
                let block = if stream == 1 { first_block() } else { later.to_vec() };
                [frame(1, 4, stream, &block), frame(0, 1, stream, &[b'k'; 20])].concat()
            })
            .collect()
    };
    let mut warm = Connection::server(config.clone(), owner.now);
    owner.turn(&mut warm, &opening);
    owner.turn(&mut warm, &batch(1));

    let before = HELD.get();
    let mut connection = Connection::server(config, owner.now);
    owner.turn(&mut connection, &opening);
    let idle = size_of::<Connection>() as isize + HELD.get() - before;

    assert_eq!(owner.turn(&mut connection, &batch(1)), 32);
    let used = size_of::<Connection>() as isize + HELD.get() - before;
    // A batch may be cut within HEADERS, and between HEADERS and DATA.
    let batches: Vec<_> = (1..7).map(|number| batch(1 + 64 * number)).collect();
    let size = batches[0].len();
    let mut allocations = ALLOCATIONS.get();
    let mut calls = 0;
    for (number, batch) in batches.iter().enumerate() {
        if number == 2 {
            // The first two have found the memory that there is to find.
            (allocations, calls) = (ALLOCATIONS.get(), 0);
        }
        let cut = [size - 3, size - 25, size - 40][number % 3];
        let (first, second) = batch.split_at(cut);
        calls += owner.turn(&mut connection, first) + owner.turn(&mut connection, second);
    }
    assert_eq!((ALLOCATIONS.get() - allocations, calls), (0, 128));
    println!("{} bytes the connection itself", size_of::<Connection>());
    println!("{idle} bytes idle, {used} after 32 calls at once");
    assert!(idle < 2048, "{idle}");
    assert!(used < 2048, "{used}");
}
