//! A client that costs next to nothing: it sends the same gRPC request again and again as
//! ready-made HTTP/2 frames, and of the replies it reads the frame headers only. So one
//! core is enough to keep a server on another core busy.
//!
//! RFC 9113 for the frames, RFC 7541 for the header block.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const FRAME_HEADER: usize = 9;
const WINDOW: u32 = (1 << 31) - 1;

/// Received bytes after which the connection's window is topped up.
const TOP_UP: u32 = 1 << 26;

/// Several connections with requests in flight, driven by the calling thread.
pub(crate) struct Load(Vec<Connection>);

struct Connection {
    socket: TcpStream,
    /// HEADERS and DATA of one request; the stream's number is filled in.
    request: Vec<u8>,
    data_at: usize,
    next_stream: u32,
    received: Vec<u8>,
    unacknowledged: u32,
    out: Vec<u8>,
}

impl Load {
    pub(crate) fn connect(
        port: u16,
        connections: usize,
        in_flight: usize,
        value_bytes: usize,
    ) -> Self {
        let connect = |_| Connection::open(port, in_flight, value_bytes);
        Self((0..connections).map(connect).collect::<io::Result<_>>().expect("the server listens"))
    }

    /// Answers each reply with a new request until the time is over. Returns the number of
    /// replies.
    pub(crate) fn run(&mut self, time: Duration) -> u64 {
        let end = Instant::now() + time;
        let mut answered = 0;
        while Instant::now() < end {
            for connection in &mut self.0 {
                answered += connection.turn().expect("the connection holds");
            }
        }
        answered
    }
}

impl Connection {
    fn open(port: u16, in_flight: usize, value_bytes: usize) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let (request, data_at) = request(value_bytes);
        let mut connection = Self {
            socket,
            request,
            data_at,
            next_stream: 1,
            received: Vec::with_capacity(1 << 20),
            unacknowledged: 0,
            out: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        };
        let initial_window = [0, 4, 0x7f, 0xff, 0xff, 0xff];
        frame(&mut connection.out, SETTINGS, 0, 0, &initial_window);
        frame(&mut connection.out, WINDOW_UPDATE, 0, 0, &(WINDOW - 65_535).to_be_bytes());
        for _ in 0..in_flight {
            connection.send_request();
        }
        connection.flush()?;
        Ok(connection)
    }

    fn send_request(&mut self) {
        let stream = self.next_stream.to_be_bytes();
        self.next_stream += 2;
        let at = self.out.len();
        self.out.extend_from_slice(&self.request);
        self.out[at + 5..at + 9].copy_from_slice(&stream);
        let data = at + self.data_at;
        self.out[data + 5..data + 9].copy_from_slice(&stream);
    }

    /// Reads what is there, and sends one new request for each reply.
    fn turn(&mut self) -> io::Result<u64> {
        let filled = self.received.len();
        self.received.resize(filled + (256 << 10), 0);
        let read = match self.socket.read(&mut self.received[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.received.truncate(filled + read);
        let answered = self.take_frames();
        for _ in 0..answered {
            self.send_request();
        }
        self.flush()?;
        Ok(answered)
    }

    fn take_frames(&mut self) -> u64 {
        let mut at = 0;
        let mut answered = 0;
        while let Some(header) = self.received.get(at..at + FRAME_HEADER) {
            let len = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let (kind, flags) = (header[3], header[4]);
            let Some(payload) = self.received.get(at + FRAME_HEADER..at + FRAME_HEADER + len)
            else {
                break;
            };
            match kind {
                DATA => self.unacknowledged += len as u32,
                HEADERS if flags & END_STREAM != 0 => answered += 1,
                SETTINGS if flags & ACK == 0 => frame(&mut self.out, SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => frame(&mut self.out, PING, ACK, 0, payload),
                RST_STREAM | GOAWAY => panic!("the server gave up: {payload:?}"),
                _ => {}
            }
            at += FRAME_HEADER + len;
        }
        self.received.drain(..at);
        if self.unacknowledged >= TOP_UP {
            frame(&mut self.out, WINDOW_UPDATE, 0, 0, &self.unacknowledged.to_be_bytes());
            self.unacknowledged = 0;
        }
        answered
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.out.len() {
            match self.socket.write(&self.out[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.out.drain(..sent);
        Ok(())
    }
}

/// The frames of one request, and where DATA begins.
fn request(value_bytes: usize) -> (Vec<u8>, usize) {
    // :method POST and :scheme http are indexed; the rest are literals that are not.
    let mut block = vec![0x83, 0x86];
    // Names from the static table: :path is 4, :authority 1, content-type 31, which takes
    // a second byte.
    for (name, value) in [
        ([0x04].as_slice(), "/cache.CacheService/Get"),
        (&[0x01], "localhost"),
        (&[0x0f, 31 - 15], "application/grpc"),
    ] {
        block.extend(name);
        block.push(value.len() as u8);
        block.extend(value.as_bytes());
    }
    block.extend(b"\x00\x02te\x08trailers");

    let mut key = vec![0x0a];
    prost::encoding::encode_varint(value_bytes as u64, &mut key);
    key.resize(key.len() + value_bytes, b'k');
    let mut message = vec![0];
    message.extend((key.len() as u32).to_be_bytes());
    message.extend(key);

    let mut frames = Vec::new();
    frame(&mut frames, HEADERS, END_HEADERS, 0, &block);
    let data_at = frames.len();
    assert!(message.len() <= 16_384, "one DATA frame carries it");
    frame(&mut frames, DATA, END_STREAM, 0, &message);
    (frames, data_at)
}

fn frame(into: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    into.extend(&(payload.len() as u32).to_be_bytes()[1..]);
    into.extend([kind, flags]);
    into.extend(stream.to_be_bytes());
    into.extend(payload);
}
