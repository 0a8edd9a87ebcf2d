//! A client of single HTTP/2 frames, for what no HTTP/2 library sends. Knows just enough of
//! HPACK to write header blocks, and reads none.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::wire::framed;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const GOAWAY: u8 = 7;
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

/// One connection, without TLS.
pub(crate) struct Frames {
    socket: TcpStream,
}

impl Frames {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut frames = Self { socket };
        frames.socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        frames.send(4, 0, 0, &[]).await;
        frames
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Sends a frame. The peer may have ended the connection: reading says so.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length.to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend_from_slice(payload);
        let _ = self.socket.write_all(&frame).await;
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
            let mut head = [0; 9];
            if self.socket.read_exact(&mut head).await.is_err() {
                return Outcome::Ended(None);
            }
            let [a, b, c, kind, flags, stream @ ..] = head;
            let stream = u32::from_be_bytes(stream);
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            if self.socket.read_exact(&mut payload).await.is_err() {
                return Outcome::Ended(None);
            }
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
