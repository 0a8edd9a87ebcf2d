//! gRPC over HTTP/2 (RFC 9113), as a client that costs next to nothing: header blocks are ready
//! made, and of the replies it reads the frames' headers, the status, and the length.

use std::collections::VecDeque;

use super::{
    Fault, Protocol, Request, SAMPLED,
    message::Messages,
    reply_heads::ReplyHeads,
    request_heads::{RequestHeads, TABLE_BYTES},
};
use crate::work::{Operation, Value};

mod frame;

use self::frame::{Frame, Kind, flags, setting};

/// The window of each reply and of the connection: none waits for us.
const WINDOW: u32 = (1 << 31) - 1;
/// Windows before SETTINGS say otherwise (RFC 9113, 6.9.2).
const FIRST_WINDOW: i64 = 65_535;
/// Received bytes after which the connection's window is topped up.
const TOP_UP: u32 = 1 << 26;

/// How the contract is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Plain,
    /// Each request shows a token.
    Token,
    /// Values are read by Read of `tinycache.v1`.
    Second,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Grpc {
    messages: Messages,
    heads: RequestHeads,
    replies: ReplyHeads,
    streams: VecDeque<Option<Stream>>,
    /// The number of the first of `streams`.
    first_stream: u32,
    open: u32,
    max_open: u32,
    /// What the server takes in DATA now.
    window: i64,
    /// Requests that wait for the window or for a stream.
    held: VecDeque<Held>,
    /// Bytes of DATA since the last top-up.
    received: u32,
    sent: u64,
    /// The message of a request, so that none allocates.
    scratch: Vec<u8>,
}

/// A request that waits for its reply.
#[derive(Debug)]
struct Stream {
    operation: Operation,
    due: u64,
    /// Bytes of the reply so far.
    received: usize,
    /// The reply so far, if it is one that is compared.
    sample: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Held {
    operation: Operation,
    due: u64,
    message: Vec<u8>,
}

impl Grpc {
    pub(crate) fn new(value: Value, tls: bool, dialect: Dialect) -> Self {
        Self {
            messages: Messages::new(value, dialect),
            heads: RequestHeads::new(tls, dialect),
            replies: ReplyHeads::default(),
            streams: VecDeque::new(),
            first_stream: 1,
            open: 0,
            max_open: u32::MAX,
            window: FIRST_WINDOW,
            held: VecDeque::new(),
            received: 0,
            sent: 0,
            scratch: Vec::new(),
        }
    }

    fn write(&mut self, operation: Operation, due: u64, message: &[u8], out: &mut Vec<u8>) {
        let id = self.first_stream + 2 * self.streams.len() as u32;
        let at = frame::begin(out, Kind::HEADERS, flags::END_HEADERS, id);
        self.heads.encode(operation, out);
        frame::end(out, at);
        let at = frame::begin(out, Kind::DATA, flags::END_STREAM, id);
        out.extend_from_slice(message);
        frame::end(out, at);
        self.window -= message.len() as i64;
        self.open += 1;
        let sample = self.sent.is_multiple_of(SAMPLED).then(Vec::new);
        self.sent += 1;
        self.streams.push_back(Some(Stream { operation, due, received: 0, sample }));
    }

    fn has_room(&self, message: usize) -> bool {
        self.open < self.max_open && message as i64 <= self.window
    }

    /// Sends what waited.
    fn release(&mut self, out: &mut Vec<u8>) {
        while let Some(held) = self.held.front() {
            if !self.has_room(held.message.len()) {
                break;
            }
            if let Some(Held { operation, due, message }) = self.held.pop_front() {
                self.write(operation, due, &message, out);
            }
        }
    }

    fn frame(
        &mut self,
        frame: Frame<'_>,
        out: &mut Vec<u8>,
        answered: &mut Vec<u64>,
    ) -> Result<(), Fault> {
        match frame.kind {
            Kind::HEADERS => self.headers(frame, answered),
            Kind::DATA => self.data(frame, out),
            Kind::SETTINGS => self.settings(frame, out),
            Kind::PING if !frame.has(flags::ACK) => {
                let at = frame::begin(out, Kind::PING, flags::ACK, 0);
                out.extend_from_slice(frame.payload);
                frame::end(out, at);
                Ok(())
            }
            // Each stream has the window of its SETTINGS, which a request fits into.
            Kind::WINDOW_UPDATE if frame.stream == 0 => {
                self.window += i64::from(frame.number()?);
                Ok(())
            }
            Kind::RST_STREAM => Err(Fault::unexpected("a reply, not RST_STREAM", frame.payload)),
            Kind::GOAWAY => Err(Fault::unexpected("a reply, not GOAWAY", frame.payload)),
            _ => Ok(()),
        }
    }

    fn headers(&mut self, frame: Frame<'_>, answered: &mut Vec<u64>) -> Result<(), Fault> {
        if !frame.has(flags::END_HEADERS) || frame.has(flags::PADDED | flags::PRIORITY) {
            return Err(Fault("a header block in a form that this client does not read".into()));
        }
        if !frame.has(flags::END_STREAM) {
            return self.replies.head(frame.payload);
        }
        self.replies.trailers(frame.payload)?;
        let place = self.place(frame.stream);
        let stream = place.and_then(|place| self.streams.get_mut(place)?.take());
        let stream = stream.ok_or_else(|| Fault("a reply that nobody asked for".to_owned()))?;
        let expected = self.messages.reply_bytes(stream.operation);
        if !expected.contains(&stream.received) {
            let (operation, received) = (stream.operation, stream.received);
            return Err(Fault(format!(
                "the reply of a {operation:?} has {received} bytes instead of {expected:?}"
            )));
        }
        if let Some(sample) = stream.sample {
            self.messages.check(stream.operation, &sample)?;
        }
        while let Some(None) = self.streams.front() {
            self.streams.pop_front();
            self.first_stream += 2;
        }
        self.open -= 1;
        answered.push(stream.due);
        Ok(())
    }

    fn data(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if frame.has(flags::END_STREAM | flags::PADDED) {
            return Err(Fault("DATA that is padded, or without trailers".to_owned()));
        }
        let place = self.place(frame.stream);
        let stream = place.and_then(|place| self.streams.get_mut(place)?.as_mut());
        let stream = stream.ok_or_else(|| Fault("DATA that nobody asked for".to_owned()))?;
        stream.received += frame.payload.len();
        if let Some(sample) = &mut stream.sample {
            sample.extend_from_slice(frame.payload);
        }
        self.received += frame.payload.len() as u32;
        if self.received >= TOP_UP {
            frame::number(out, Kind::WINDOW_UPDATE, self.received);
            self.received = 0;
        }
        Ok(())
    }

    fn place(&self, stream: u32) -> Option<usize> {
        Some(stream.checked_sub(self.first_stream)? as usize / 2)
    }

    fn settings(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if frame.has(flags::ACK) {
            return Ok(());
        }
        for (id, value) in frame.settings()? {
            match id {
                setting::MAX_CONCURRENT_STREAMS => self.max_open = value,
                setting::HEADER_TABLE_SIZE if value < TABLE_BYTES => {
                    return Err(Fault(format!("a header table of {value} bytes is too small")));
                }
                _ => {}
            }
        }
        let at = frame::begin(out, Kind::SETTINGS, flags::ACK, 0);
        frame::end(out, at);
        Ok(())
    }
}

impl Protocol for Grpc {
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let at = frame::begin(out, Kind::SETTINGS, 0, 0);
        out.extend_from_slice(&setting::INITIAL_WINDOW_SIZE.to_be_bytes());
        out.extend_from_slice(&WINDOW.to_be_bytes());
        frame::end(out, at);
        frame::number(out, Kind::WINDOW_UPDATE, WINDOW - FIRST_WINDOW as u32);
    }

    fn send(&mut self, request: Request<'_>, out: &mut Vec<u8>) {
        let Request { operation, keys, due } = request;
        let mut message = std::mem::take(&mut self.scratch);
        message.clear();
        self.messages.encode(operation, keys, &mut message);
        if self.held.is_empty() && self.has_room(message.len()) {
            self.write(operation, due, &message, out);
        } else {
            self.held.push_back(Held { operation, due, message: message.clone() });
        }
        self.scratch = message;
    }

    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        answered: &mut Vec<u64>,
    ) -> Result<usize, Fault> {
        let mut taken = 0;
        while let Some(frame) = Frame::first(&input[taken..]) {
            taken += frame.bytes();
            self.frame(frame, out, answered)?;
        }
        self.release(out);
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;
