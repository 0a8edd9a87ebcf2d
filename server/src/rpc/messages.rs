//! A request's body as messages. Reads gRPC's frames, unpacks what is compressed, and refuses
//! what is no message, each with its reason; tonic behind it sees plain frames alone.
//!
//! Whatever is wrong with a message is its caller's mistake, and INVALID_ARGUMENT says so.
//! gRPC's documents call some of it INTERNAL, but that is kept for faults of this server,
//! whose words no caller may read.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame};
use thiserror::Error;
use tiny_cache_proto::PREFIX_BYTES;
use tonic::Status;

use super::compression::{Coding, Unpackable, unpack};

/// What the messages of a call may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) coding: Coding,
    /// Bytes of a message, as it was sent and unpacked.
    pub(super) max: usize,
    /// Exactly one, or any number.
    pub(super) single: bool,
}

/// Why a body is not what its call takes.
#[derive(Debug, Error)]
enum Malformed {
    #[error("The call has no message")]
    Missing,
    #[error("A unary call has one message, and more came after it")]
    Surplus,
    #[error("The message ends {0} bytes early")]
    CutShort(usize),
    #[error("A message has the compressed flag {0}, and only 0 and 1 are defined")]
    Flag(u8),
    #[error("A message is flagged as compressed, but grpc-encoding names no compression")]
    NoCoding,
    #[error("A message is not valid {}: {problem}", .coding.name())]
    Corrupt { coding: Coding, problem: std::io::Error },
    #[error("A message of {bytes} bytes is too large (max {max})")]
    TooLarge { bytes: usize, max: usize },
    #[error("Message unpacks to more than the limit of {0} bytes")]
    UnpacksTooLarge(usize),
}

impl From<Malformed> for Status {
    fn from(malformed: Malformed) -> Self {
        let message = malformed.to_string();
        match malformed {
            Malformed::TooLarge { .. } | Malformed::UnpacksTooLarge(_) => {
                Status::resource_exhausted(message)
            }
            Malformed::Missing
            | Malformed::Surplus
            | Malformed::CutShort(_)
            | Malformed::Flag(_)
            | Malformed::NoCoding
            | Malformed::Corrupt { .. } => Status::invalid_argument(message),
        }
    }
}

/// A request's body on its way to tonic.
#[derive(Debug)]
pub(crate) struct Messages<B> {
    body: B,
    form: Form,
    /// Came with the last frame, and is still to be looked at.
    left: Bytes,
    state: State,
    /// Whether the first message has begun.
    begun: bool,
}

#[derive(Debug)]
enum State {
    /// Before a message; so many bytes of its prefix have come.
    Before { prefix: [u8; PREFIX_BYTES], have: usize },
    /// Within a plain message, whose bytes are handed on as they come.
    Plain { missing: usize },
    /// Within a compressed message, which is unpacked when it is whole: unpacked as it comes,
    /// a message that stops half-way would hold the memory of a large one.
    Packed { missing: usize, packed: BytesMut },
    /// Behind the last byte, or behind an error.
    Ended,
}

impl State {
    const START: Self = Self::Before { prefix: [0; PREFIX_BYTES], have: 0 };
}

impl<B> Messages<B> {
    pub(super) fn new(body: B, form: Form) -> Self {
        Self { body, form, left: Bytes::new(), state: State::START, begun: false }
    }

    /// Takes a step through what has come: what tonic gets of it, if anything.
    fn step(&mut self) -> Result<Option<Bytes>, Malformed> {
        match &mut self.state {
            State::Before { prefix, have } => {
                if self.begun && self.form.single {
                    return Err(Malformed::Surplus);
                }
                // Mostly a whole message comes in one piece, and leaves in it.
                let whole = *have == 0 && self.left.len() >= PREFIX_BYTES;
                let taken = (PREFIX_BYTES - *have).min(self.left.len());
                prefix[*have..*have + taken].copy_from_slice(&self.left[..taken]);
                *have += taken;
                if *have < PREFIX_BYTES {
                    self.left.clear();
                    return Ok(None);
                }
                let prefix = *prefix;
                let len = self.begin(prefix)?;
                if matches!(self.state, State::Packed { .. }) {
                    self.left.advance(taken);
                    return self.take_packed();
                }
                if whole {
                    return Ok(Some(self.hand_on(PREFIX_BYTES + len)));
                }
                self.left.advance(taken);
                self.plain(len);
                Ok(Some(Bytes::copy_from_slice(&prefix)))
            }
            State::Plain { missing } => {
                let missing = *missing;
                Ok(Some(self.hand_on(missing)))
            }
            State::Packed { .. } => self.take_packed(),
            State::Ended => Ok(None),
        }
    }

    /// Begins a message by its prefix, and returns its length.
    fn begin(&mut self, [flag, length @ ..]: [u8; PREFIX_BYTES]) -> Result<usize, Malformed> {
        self.begun = true;
        let len = u32::from_be_bytes(length) as usize;
        let max = self.form.max;
        match (flag, self.form.coding) {
            (0 | 1, _) if len > max => Err(Malformed::TooLarge { bytes: len, max }),
            (0, _) => Ok(len),
            (1, Coding::Identity) => Err(Malformed::NoCoding),
            (1, _) => {
                self.state = State::Packed { missing: len, packed: BytesMut::new() };
                Ok(len)
            }
            (flag, _) => Err(Malformed::Flag(flag)),
        }
    }

    /// Hands on what has come of `missing` bytes of a plain message.
    fn hand_on(&mut self, missing: usize) -> Bytes {
        let piece = self.left.split_to(missing.min(self.left.len()));
        self.plain(missing - piece.len());
        piece
    }

    fn plain(&mut self, missing: usize) {
        self.state = if missing == 0 { State::START } else { State::Plain { missing } };
    }

    /// Keeps what has come of a compressed message, and unpacks it when that is all.
    fn take_packed(&mut self) -> Result<Option<Bytes>, Malformed> {
        let State::Packed { missing, packed } = &mut self.state else { return Ok(None) };
        let piece = self.left.split_to((*missing).min(self.left.len()));
        *missing -= piece.len();
        if *missing > 0 {
            packed.extend_from_slice(&piece);
            return Ok(None);
        }
        let message = if packed.is_empty() {
            self.form.unpack(&piece)?
        } else {
            packed.extend_from_slice(&piece);
            self.form.unpack(packed)?
        };
        self.state = State::START;
        Ok(Some(message))
    }

    /// Whether the body may end here.
    fn end(&self) -> Result<(), Malformed> {
        match self.state {
            State::Before { have: 0, .. } if self.form.single && !self.begun => {
                Err(Malformed::Missing)
            }
            State::Before { have: 0, .. } | State::Ended => Ok(()),
            State::Before { have, .. } => Err(Malformed::CutShort(PREFIX_BYTES - have)),
            State::Plain { missing } | State::Packed { missing, .. } => {
                Err(Malformed::CutShort(missing))
            }
        }
    }
}

impl Form {
    /// The plain frame of a compressed message.
    fn unpack(&self, packed: &[u8]) -> Result<Bytes, Malformed> {
        let mut frame = vec![0; PREFIX_BYTES];
        // A limit above 4 GiB could not be written into the prefix.
        let max = self.max.min(u32::MAX as usize);
        unpack(self.coding, packed, &mut frame, PREFIX_BYTES + max).map_err(
            |problem| match problem {
                Unpackable::TooLarge => Malformed::UnpacksTooLarge(max),
                Unpackable::Corrupt(problem) => Malformed::Corrupt { coding: self.coding, problem },
            },
        )?;
        let len = (frame.len() - PREFIX_BYTES) as u32;
        frame[1..PREFIX_BYTES].copy_from_slice(&len.to_be_bytes());
        Ok(frame.into())
    }
}

impl<B> Body for Messages<B>
where
    B: Body<Data = Bytes, Error = Status> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        loop {
            if matches!(this.state, State::Ended) {
                return Poll::Ready(None);
            }
            let problem = if this.left.is_empty() {
                match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        // gRPC has no trailers in requests, and tonic would let them replace
                        // the headers: the namespace that a proxy has set, for one.
                        this.left = frame.into_data().unwrap_or_default();
                        continue;
                    }
                    Some(Err(problem)) => problem,
                    None => match this.end() {
                        Ok(()) => {
                            this.state = State::Ended;
                            return Poll::Ready(None);
                        }
                        Err(malformed) => malformed.into(),
                    },
                }
            } else {
                match this.step() {
                    Ok(None) => continue,
                    Ok(Some(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                    Err(malformed) => malformed.into(),
                }
            };
            this.state = State::Ended;
            return Poll::Ready(Some(Err(problem)));
        }
    }

    fn is_end_stream(&self) -> bool {
        // A body that has ended without a message is still to be refused, and tonic asks no
        // body that says it has ended.
        matches!(self.state, State::Ended)
    }
}
