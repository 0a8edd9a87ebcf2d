//! The load generator over real sockets, against a server of each protocol that knows just enough
//! to answer, and against servers that answer wrongly.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use tiny_cache_bench_peers::{
    draws::{Draws, Fill},
    load::{Load, Target},
    protocol::Wire,
    work::{Shape, Value, WORKS, Work},
};

const SHAPE: Shape = Shape { connections: 3, in_flight: 8 };
const SPAN: Duration = Duration::from_millis(200);

/// Answers a piece of input: how many bytes it took, and the reply.
type Answer = fn(&[u8]) -> Option<(usize, Vec<u8>)>;

/// A server whose connections are threads, which end with the client.
fn serve(wire: Wire, greeting: &'static [u8], answer: Answer) -> Target {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            thread::spawn(move || connection(socket.expect("a connection"), greeting, answer));
        }
    });
    Target { port, wire, trust: None }
}

fn connection(mut socket: TcpStream, greeting: &[u8], answer: Answer) {
    socket.write_all(greeting).expect("the client reads");
    let (mut input, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(read @ 1..) = socket.read(&mut buffer) {
        input.extend_from_slice(&buffer[..read]);
        let mut out = Vec::new();
        while let Some((taken, reply)) = answer(&input) {
            input.drain(..taken);
            out.extend(reply);
        }
        // The client may have gone.
        if socket.write_all(&out).is_err() {
            return;
        }
    }
}

/// A line is a request, and all of them are Gets that hit.
fn memcached(input: &[u8]) -> Option<(usize, Vec<u8>)> {
    let end = input.windows(2).position(|end| end == b"\r\n")?;
    Some((end + 2, format!("VA 64\r\n{}\r\n", "v".repeat(64)).into_bytes()))
}

fn memcached_miss(input: &[u8]) -> Option<(usize, Vec<u8>)> {
    let end = input.windows(2).position(|end| end == b"\r\n")?;
    Some((end + 2, b"EN\r\n".to_vec()))
}

/// A SET has seven lines, a GET five; the first tells which.
fn redis(input: &[u8]) -> Option<(usize, Vec<u8>)> {
    let is_set = input.first_chunk::<2>()? == b"*3";
    let lines = if is_set { 7 } else { 5 };
    let ends = input.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let (end, _) = ends.take(lines).nth(lines - 1)?;
    let hit = || format!("$64\r\n{}\r\n", "v".repeat(64)).into_bytes();
    Some((end + 1, if is_set { b"+OK\r\n".to_vec() } else { hit() }))
}

/// SETTINGS without any, and a window for all that a test sends.
const GREETING: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0, 0];
const PREFACE: usize = 24;

fn grpc(input: &[u8]) -> Option<(usize, Vec<u8>)> {
    if input.starts_with(b"PRI") {
        return (input.len() >= PREFACE).then(|| (PREFACE, Vec::new()));
    }
    let header = input.first_chunk::<9>()?;
    let length = usize::from(header[1]) << 8 | usize::from(header[2]);
    let end = 9 + length;
    if input.len() < end {
        return None;
    }
    // Requests end with DATA.
    let reply = if header[3] == 0 { hit(&header[5..9]) } else { Vec::new() };
    Some((end, reply))
}

fn hit(stream: &[u8]) -> Vec<u8> {
    let frame = |length: u8, kind, flags| [&[0, 0, length, kind, flags], stream].concat();
    let mut reply = frame(1, 1, 4);
    reply.push(0x88);
    reply.extend(frame(5 + 68, 0, 0));
    reply.extend([0, 0, 0, 0, 68, 0x08, 1, 0x12, 64]);
    reply.extend([b'v'; 64]);
    reply.extend(frame(15, 1, 5));
    reply.extend(b"\x00\x0bgrpc-status\x010");
    reply
}

fn get_64() -> &'static Work {
    WORKS.iter().find(|work| work.name == "get-64").expect("it is listed")
}

fn each() -> [Target; 3] {
    [
        serve(Wire::Grpc, GREETING, grpc),
        serve(Wire::Redis, b"", redis),
        serve(Wire::Memcached, b"", memcached),
    ]
}

#[test]
fn a_closed_loop_counts_what_was_answered() {
    let mut draws = Draws::new(get_64());
    for target in each() {
        let mut load = Load::connect(&target, Value::Small, SHAPE).unwrap();
        load.start(&mut draws).unwrap();
        let span = load.run(&mut draws, SPAN).unwrap();
        assert!(span.operations > 100, "{target:?}: {span:?}");
        assert!(span.elapsed >= SPAN);
    }
}

#[test]
fn an_open_loop_keeps_its_rate_and_times_every_request() {
    let mut draws = Draws::new(get_64());
    for target in each() {
        let mut load = Load::connect(&target, Value::Small, SHAPE).unwrap();
        let times = load.pace(&mut draws, 2_000.0, SPAN).unwrap();
        // 400 of them, give or take what chance allows.
        assert!((300..500).contains(&times.count()), "{target:?}: {}", times.count());
        assert!(times.percentile(50.0) > 0.0);
    }
}

#[test]
fn a_response_time_begins_when_the_request_was_due() {
    fn slow(input: &[u8]) -> Option<(usize, Vec<u8>)> {
        let reply = memcached(input)?;
        thread::sleep(Duration::from_millis(10));
        Some(reply)
    }
    let target = serve(Wire::Memcached, b"", slow);
    let shape = Shape { connections: 1, in_flight: 1 };
    let mut load = Load::connect(&target, Value::Small, shape).unwrap();
    // Twice what the server can do: a client that waited for replies would see 10 ms each time.
    let times = load.pace(&mut Draws::new(get_64()), 200.0, SPAN).unwrap();
    assert!(times.percentile(99.0) > 50_000.0, "{}", times.percentile(99.0));
}

#[test]
fn a_fill_ends_with_its_last_reply() {
    let target = serve(Wire::Redis, b"", redis);
    let mut load = Load::connect(&target, Value::Small, SHAPE).unwrap();
    load.drain(&mut Fill::new(100), 100).unwrap();
}

#[test]
fn a_wrong_reply_and_a_closed_connection_end_the_measurement() {
    let cases: [(Answer, &str); 2] = [
        (memcached_miss, "expected a value"),
        (|_| panic!("this connection ends"), "closed the connection"),
    ];
    for (answer, expected) in cases {
        let target = serve(Wire::Memcached, b"", answer);
        let mut draws = Draws::new(get_64());
        let mut load = Load::connect(&target, Value::Small, SHAPE).unwrap();
        load.start(&mut draws).unwrap();
        let error = load.run(&mut draws, SPAN).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
}
