//! A peer that writes the frames it is given, and an owner that records its events.

use std::{
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use tiny_cache_http2::{
    Block, Body, Code, Config, Connection, ConnectionError, Event, Head, Lane, Limits, Reply,
    StreamId, Workspace,
};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const WITH_PRIORITY: u8 = 0x20;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn code(&self) -> Code {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        Code(number(&self.payload[at..]))
    }

    pub(crate) fn number(&self) -> u32 {
        number(&self.payload)
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn settings(parameters: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = parameters
        .iter()
        .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    frame(SETTINGS, 0, 0, &payload)
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

pub(crate) fn reset(stream: u32, code: Code) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.0.to_be_bytes())
}

/// A literal field that enters no table.
pub(crate) fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name.as_bytes(), value] {
        if text.len() < 127 {
            block.push(text.len() as u8);
        } else {
            block.push(127);
            let mut left = text.len() - 127;
            while left > 127 {
                block.push((left & 127) as u8 | 128);
                left >>= 7;
            }
            block.push(left as u8);
        }
        block.extend_from_slice(text);
    }
    block
}

pub(crate) fn fields(list: &[(&str, &str)]) -> Vec<u8> {
    list.iter().flat_map(|(name, value)| field(name, value.as_bytes())).collect()
}

/// The pseudo-header fields of a POST to `path`.
pub(crate) fn post(path: &str) -> Vec<u8> {
    [&[0x83, 0x86][..], &fields(&[(":path", path), (":authority", "test")])].concat()
}

pub(crate) fn headers(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, block)
}

pub(crate) fn data(stream: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, bytes)
}

/// A whole request.
pub(crate) fn request(stream: u32, path: &str, body: &[u8]) -> Vec<u8> {
    [headers(stream, 0, &post(path)), data(stream, END_STREAM, body)].concat()
}

/// An event with copies of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Request { stream: u32, path: String, id: Option<String>, body: Vec<u8> },
    Head { stream: u32, path: String, fields: Vec<(String, String)>, end: bool },
    Data { stream: u32, bytes: Vec<u8>, end: bool },
    Trailers { stream: u32, fields: Vec<(String, String)> },
    TooLarge { stream: u32, bytes: usize },
    GivenUp { stream: u32, path: String, code: Code },
    Reset { stream: u32, code: Code, refused: Option<&'static str> },
    Stalled { stream: u32 },
    Pong([u8; 8]),
    GoAway(Code),
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn all_fields(head: &Head) -> Vec<(String, String)> {
    head.fields().map(|(name, value)| (text(name), text(value))).collect()
}

impl Seen {
    pub(crate) fn of(event: Event<'_>) -> (Self, Option<StreamId>) {
        match event {
            Event::Request { stream, head, body, .. } => {
                let (path, id) = (text(head.path()), head.kept(0).map(text));
                (
                    Self::Request { stream: stream.get(), path, id, body: body.to_vec() },
                    Some(stream),
                )
            }
            Event::Head { stream, head, end, .. } => {
                let (path, fields) = (text(head.path()), all_fields(head));
                (Self::Head { stream: stream.get(), path, fields, end }, Some(stream))
            }
            Event::Data { stream, bytes, end } => {
                (Self::Data { stream: stream.get(), bytes: bytes.to_vec(), end }, Some(stream))
            }
            Event::Trailers { stream, head } => {
                (Self::Trailers { stream: stream.get(), fields: all_fields(head) }, Some(stream))
            }
            Event::TooLarge { stream, head } => {
                (Self::TooLarge { stream: stream.get(), bytes: head.list_bytes() }, Some(stream))
            }
            Event::GivenUp { stream, head, code, .. } => {
                let path = text(head.path());
                (Self::GivenUp { stream: stream.get(), path, code }, Some(stream))
            }
            Event::Reset { stream, code, refused } => {
                (Self::Reset { stream: stream.get(), code, refused }, Some(stream))
            }
            Event::Stalled { stream } => (Self::Stalled { stream: stream.get() }, None),
            Event::Pong(payload) => (Self::Pong(payload), None),
            Event::GoAway(code) => (Self::GoAway(code), None),
        }
    }
}

/// Paths below `/stream` come as streams.
fn lane(head: &Head) -> Lane {
    if head.path().starts_with(b"/stream") { Lane::Stream } else { Lane::Whole }
}

/// A connection, its owner and its peer.
pub(crate) struct Pair {
    pub(crate) connection: Connection,
    pub(crate) work: Workspace,
    pub(crate) now: Instant,
    pub(crate) seen: Vec<Seen>,
    pub(crate) ids: Vec<StreamId>,
    pub(crate) failed: Option<ConnectionError>,
}

impl Pair {
    /// A connection of which nothing has come.
    pub(crate) fn silent(limits: Limits) -> Self {
        let now = Instant::now();
        let config = Arc::new(Config::new(&["x-request-id"], lane, limits));
        Self {
            connection: Connection::server(config, now),
            work: Workspace::default(),
            now,
            seen: Vec::new(),
            ids: Vec::new(),
            failed: None,
        }
    }

    /// A connection that has shaken hands, with all that was sent so far taken.
    pub(crate) fn with(limits: Limits) -> Self {
        let mut pair = Self::silent(limits);
        pair.send(&[PREFACE, &settings(&[]), &frame(SETTINGS, ACK, 0, &[])].concat());
        pair.sent();
        pair
    }

    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    /// The peer sends bytes. Returns how many were taken.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        let mut input = bytes;
        loop {
            match self.connection.receive(&mut input, self.now, &mut self.work) {
                Ok(None) => return bytes.len() - input.len(),
                Ok(Some(event)) => {
                    let (seen, id) = Seen::of(event);
                    self.seen.push(seen);
                    self.ids.extend(id);
                }
                Err(error) => {
                    self.failed = Some(error);
                    return bytes.len();
                }
            }
        }
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.send(&[]);
    }

    /// The events since this was last asked.
    pub(crate) fn events(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Everything that is to be written, as bytes.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[]); 4];
            let used = self.connection.output(&mut slices);
            if used == 0 {
                return bytes;
            }
            let before = bytes.len();
            slices[..used].iter().for_each(|slice| bytes.extend_from_slice(slice));
            self.connection.consumed(bytes.len() - before, self.now, &mut self.work);
        }
    }

    /// Everything that is to be written, as frames.
    pub(crate) fn sent(&mut self) -> Vec<Frame> {
        frames(&self.written())
    }

    /// The id of a stream that an event has named.
    pub(crate) fn id(&self, stream: u32) -> StreamId {
        *self.ids.iter().rev().find(|id| id.get() == stream).expect("an event has named it")
    }

    /// Answers with a body, copied.
    pub(crate) fn reply(&mut self, stream: u32, body: Body<'_>) -> bool {
        let id = self.id(stream);
        let (head, trailers) = (ok(), done());
        let reply =
            Reply { head: &head, fields: &[], body, trailers: &trailers, trailer_fields: &[] };
        self.connection.reply(id, reply).is_ok()
    }

    /// The peer sends bytes for which the connection must fail.
    pub(crate) fn fails(&mut self, bytes: &[u8]) -> (Code, &'static str) {
        self.send(bytes);
        let error = self.failed.expect("the connection fails");
        let goaway = self.sent().pop().expect("GOAWAY is sent");
        assert_eq!((goaway.kind, goaway.code()), (GOAWAY, error.code));
        assert!(self.connection.is_finished());
        (error.code, error.reason)
    }

    /// The peer sends bytes for which a stream must be reset, and the connection go on.
    pub(crate) fn resets(&mut self, bytes: &[u8]) -> (u32, Code, &'static str) {
        self.send(bytes);
        assert_eq!(self.failed, None);
        let reset = self.sent().into_iter().rfind(|frame| frame.kind == RST_STREAM);
        let reset = reset.expect("RST_STREAM is sent");
        let Some(Seen::Reset { stream, code, refused: Some(reason) }) = self.seen.last() else {
            panic!("a reset is reported, not {:?}", self.seen.last())
        };
        assert_eq!((*stream, *code), (reset.stream, reset.code()));
        (*stream, *code, reason)
    }
}

pub(crate) fn ok() -> Block {
    Block::status(200).field("content-type", "application/grpc")
}

pub(crate) fn done() -> Block {
    Block::empty().field("grpc-status", "0")
}

pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, d, e, f, g, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let (payload, after) = rest.split_at(length);
        let stream = u32::from_be_bytes([*d, *e, *f, *g]);
        frames.push(Frame { kind: *kind, flags: *flags, stream, payload: payload.to_vec() });
        bytes = after;
    }
    assert!(bytes.is_empty(), "a frame is cut off");
    frames
}

/// Kinds and flags of frames, for comparing what was sent.
pub(crate) fn outline(frames: &[Frame]) -> Vec<(u8, u8, u32, usize)> {
    frames.iter().map(|f| (f.kind, f.flags, f.stream, f.payload.len())).collect()
}
