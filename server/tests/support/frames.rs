//! A client of single HTTP/2 frames, for what no HTTP/2 library sends. Knows just enough of
//! HPACK to write header blocks, and reads none.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::wire::{Stream, framed};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The message of the reply, without its prefix; none where the reply has no message.
    Answered(Option<Vec<u8>>),
    /// The stream was reset, with this code.
    Reset(u32),
    /// The connection was ended, by GOAWAY with this code where one came.
    Ended(Option<u32>),
}

/// One connection.
pub(crate) struct Frames {
    socket: Box<dyn Stream>,
}

impl Frames {
    /// A connection without TLS.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self::connect_and_tell(addr).await.0
    }

    /// The same, with the address that the server sees.
    pub(crate) async fn connect_and_tell(addr: SocketAddr) -> (Self, SocketAddr) {
        let socket = TcpStream::connect(addr).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let local = socket.local_addr().unwrap();
        (Self::over(Box::new(socket)).await, local)
    }

    /// A connection over a stream on which nothing was sent.
    pub(crate) async fn over(socket: Box<dyn Stream>) -> Self {
        let mut frames = Self { socket };
        frames.socket.write_all(PREFACE).await.unwrap();
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Sends nothing more.
    pub(crate) async fn shutdown(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    /// Reads the server's SETTINGS, and acknowledges them.
    pub(crate) async fn acknowledge(&mut self) {
        let (head, _) = self.read_frame().await.unwrap();
        assert_eq!(head[3], SETTINGS);
        self.send(SETTINGS, 1, 0, &[]).await;
    }

    /// Reads so many bytes and does not look at them. Returns how many there were.
    pub(crate) async fn sip(&mut self, bytes: usize) -> usize {
        let mut taken = 0;
        let mut buffer = vec![0; bytes];
        while taken < bytes {
            match self.socket.read(&mut buffer[taken..]).await {
                Ok(0) | Err(_) => break,
                Ok(read) => taken += read,
            }
        }
        taken
    }

    /// The head and the payload of the next frame, or none at the end.
    pub(crate) async fn read_frame(&mut self) -> Option<([u8; 9], Vec<u8>)> {
        let mut head = [0; 9];
        self.socket.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.socket.read_exact(&mut payload).await.ok()?;
        Some((head, payload))
    }

    /// Sends a frame. The peer may have ended the connection: reading says so.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send_bytes(&frame(kind, flags, stream, payload)).await;
    }

    /// Sends bytes as they are. The peer may have ended the connection: reading says so.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
        let _ = self.socket.flush().await;
    }

    /// Sends a request whose header block comes in frames of at most `size` bytes.
    pub(crate) async fn request(&mut self, stream: u32, block: &[u8], size: usize, message: &[u8]) {
        let last = block.len().div_ceil(size) - 1;
        for (number, part) in block.chunks(size).enumerate() {
            let kind = if number == 0 { HEADERS } else { CONTINUATION };
            let flags = if number == last { END_HEADERS } else { 0 };
            self.send(kind, flags, stream, part).await;
        }
        self.send(DATA, END_STREAM, stream, &framed(false, message)).await;
    }

    /// Reads until a request has ended one way or another.
    pub(crate) async fn outcome(&mut self, of: u32) -> Outcome {
        let mut message = Vec::new();
        loop {
            let Some((head, payload)) = self.read_frame().await else {
                return Outcome::Ended(None);
            };
            let [_, _, _, kind, flags, stream @ ..] = head;
            let stream = u32::from_be_bytes(stream);
            let number = |at: usize| u32::from_be_bytes(*payload[at..].first_chunk().unwrap());
            match kind {
                GOAWAY if number(4) != 0 => return Outcome::Ended(Some(number(4))),
                RST_STREAM if stream == of => return Outcome::Reset(number(0)),
                DATA if stream == of => message.extend_from_slice(&payload),
                _ => {}
            }
            if stream == of && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                return Outcome::Answered(message.get(5..).map(<[u8]>::to_vec));
            }
        }
    }
}

/// What a client sends first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as it stands on the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a call.
pub(crate) fn call_block(path: &str) -> Vec<u8> {
    block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ])
}

/// A header block of literal fields, in this order, that enter no table.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        string(name.as_bytes(), &mut block);
        string(value.as_bytes(), &mut block);
    }
    block
}

/// A string that is not Huffman-coded.
pub(crate) fn string(text: &[u8], block: &mut Vec<u8>) {
    if text.len() < 127 {
        block.push(text.len().try_into().unwrap());
    } else {
        let mut left = text.len() - 127;
        block.push(127);
        while left > 127 {
            block.push(0x80 | (left % 128) as u8);
            left /= 128;
        }
        block.push(left.try_into().unwrap());
    }
    block.extend_from_slice(text);
}
