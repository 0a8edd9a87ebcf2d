//! What a connection reports to its owner, and the buffers that it reports in.

use std::{ops::Range, time::Instant};

use crate::{error::Code, head::Head, stream::Gather};

/// A stream of one connection, which is one request and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u32);

impl StreamId {
    /// The number that the peer gave the stream.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

/// Something that the owner of a connection has to act upon.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request that is complete. Its body needs no release.
    Request {
        /// Where the reply goes.
        stream: StreamId,
        /// The request's fields.
        head: &'a Head,
        /// When they came.
        came: Instant,
        /// The request's body.
        body: &'a [u8],
    },
    /// A request whose body follows as [`Event::Data`], unless this is its end.
    Head {
        /// Where the reply goes.
        stream: StreamId,
        /// The request's fields.
        head: &'a Head,
        /// When they came.
        came: Instant,
        /// Whether there is no body.
        end: bool,
    },
    /// A piece of a body. The peer may send as much again when the owner has released it.
    Data {
        /// The request that it belongs to.
        stream: StreamId,
        /// The piece; empty at most where it is the last.
        bytes: &'a [u8],
        /// Whether it is the last.
        end: bool,
    },
    /// The end of a body that has trailers.
    Trailers {
        /// The request that they belong to.
        stream: StreamId,
        /// The trailers.
        head: &'a Head,
    },
    /// A request with more fields than are taken. Its body does not follow. A reply is due.
    TooLarge {
        /// Where the reply goes.
        stream: StreamId,
        /// Those fields that were within the limit, and the size of all.
        head: &'a Head,
    },
    /// A request that the peer has given up before its owner heard of it.
    GivenUp {
        /// The stream that it had.
        stream: StreamId,
        /// The request's fields.
        head: &'a Head,
        /// When they came.
        came: Instant,
        /// The peer's reason.
        code: Code,
    },
    /// A stream that ended before its reply did: nothing more comes of it or goes to it. The
    /// owner may not have heard of the stream.
    Reset {
        /// The stream.
        stream: StreamId,
        /// The code that was received, or sent.
        code: Code,
        /// Why this side reset the stream, or none where the peer did.
        refused: Option<&'static str>,
    },
    /// A stream that was reset because the peer took too little of its reply for too long.
    Stalled {
        /// The stream.
        stream: StreamId,
    },
    /// The answer to a [`ping`](crate::Connection::ping) of the owner's.
    Pong([u8; 8]),
    /// The peer opens no more streams on this connection.
    GoAway(Code),
}

/// Buffers that connections use while they are looked at, one after another. A worker needs
/// one for all of its connections.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(crate) head: Head,
    /// A field, while it is decoded.
    pub(crate) scratch: Vec<u8>,
    /// A frame that came in pieces.
    pub(crate) frame: Vec<u8>,
    /// A body that was gathered.
    pub(crate) body: Vec<u8>,
    /// Output, while no connection uses it.
    pub(crate) output: Vec<u8>,
    /// The memory of the last request that was gathered: the body of a small call is cut off
    /// its head at the end of many reads.
    pub(crate) gather: Option<Box<Gather>>,
}

/// Where the bytes of an event lie.
#[derive(Clone, Debug)]
pub(crate) enum Place<'i> {
    Input(&'i [u8]),
    /// In the payload of the frame at hand.
    Payload(Range<usize>),
    /// In a frame that came in pieces.
    Frame(Range<usize>),
    Gathered,
}

impl<'i> Place<'i> {
    /// A place that is known when the frame's is. `input` is the payload of a frame that lies
    /// whole in the input, and otherwise none.
    pub(crate) fn resolve(self, input: Option<&'i [u8]>, payload_start: usize) -> Self {
        match (self, input) {
            (Self::Payload(range), Some(payload)) => Self::Input(&payload[range]),
            (Self::Payload(range), None) => {
                Self::Frame(range.start + payload_start..range.end + payload_start)
            }
            (other, _) => other,
        }
    }
}

/// An event before its borrows are taken: the workspace is in use until it is returned.
#[derive(Clone, Debug)]
pub(crate) enum Found<'i> {
    Request { stream: u32, came: Instant, body: Place<'i> },
    Head { stream: u32, came: Instant, end: bool },
    Data { stream: u32, bytes: Place<'i>, end: bool },
    Trailers { stream: u32 },
    TooLarge { stream: u32 },
    GivenUp { stream: u32, came: Instant, code: Code },
    Reset { stream: u32, code: Code, refused: Option<&'static str> },
    Stalled { stream: u32 },
    Pong([u8; 8]),
    GoAway(Code),
}

impl<'i> Found<'i> {
    pub(crate) fn resolve(self, input: Option<&'i [u8]>, payload_start: usize) -> Self {
        match self {
            Self::Data { stream, bytes, end } => {
                Self::Data { stream, bytes: bytes.resolve(input, payload_start), end }
            }
            other => other,
        }
    }

    #[inline]
    pub(crate) fn event<'a>(self, work: &'a Workspace) -> Event<'a>
    where
        'i: 'a,
    {
        let head = &work.head;
        let place = |place| match place {
            Place::Input(bytes) => bytes,
            Place::Frame(range) | Place::Payload(range) => &work.frame[range],
            Place::Gathered => &work.body[..],
        };
        match self {
            Self::Request { stream, came, body } => {
                Event::Request { stream: StreamId(stream), head, came, body: place(body) }
            }
            Self::Head { stream, came, end } => {
                Event::Head { stream: StreamId(stream), head, came, end }
            }
            Self::Data { stream, bytes, end } => {
                Event::Data { stream: StreamId(stream), bytes: place(bytes), end }
            }
            Self::Trailers { stream } => Event::Trailers { stream: StreamId(stream), head },
            Self::TooLarge { stream } => Event::TooLarge { stream: StreamId(stream), head },
            Self::GivenUp { stream, came, code } => {
                Event::GivenUp { stream: StreamId(stream), head, came, code }
            }
            Self::Reset { stream, code, refused } => {
                Event::Reset { stream: StreamId(stream), code, refused }
            }
            Self::Stalled { stream } => Event::Stalled { stream: StreamId(stream) },
            Self::Pong(payload) => Event::Pong(payload),
            Self::GoAway(code) => Event::GoAway(code),
        }
    }
}
