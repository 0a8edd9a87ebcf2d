//! Reads one message of a unary call, and bounds the memory and the time that it may take.
//!
//! A message is put together before it is decoded. Small ones pass at once: HTTP/2 takes a
//! window of every stream in any case. A large one is gathered here, and what exceeds a window
//! is paid for by its share of the budget ([`IntakeBudget`]); it is passed on when it is
//! complete. Bytes that were only announced take no memory. A message that waits for room is
//! not read on: HTTP/2's flow control keeps the rest with the sender, and the connection's
//! window has room for every stream (`transport::connection`).
//!
//! The length of a message is known when the five bytes of its prefix are there, in however
//! many DATA frames they come.

mod budget;
mod large;
mod pace;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

pub(crate) use self::budget::IntakeBudget;
use self::{large::Large, pace::Verdict};
use super::RequestBody;
use crate::transport::STREAM_WINDOW_BYTES;

/// A message up to this size needs no share: HTTP/2 takes as much of any stream.
const SMALL: usize = STREAM_WINDOW_BYTES as usize;

/// How long a small message may take, and the beginning of a large one. It holds little, but
/// it does hold its stream.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(20);

/// gRPC's frame around a message: a flag and the length, 32 bits, big endian.
const PREFIX: usize = 5;

/// What messages may take.
#[derive(Clone, Debug)]
pub(crate) struct IntakeLimits {
    pub(crate) budget: IntakeBudget,
    /// Bytes of one message.
    pub(crate) max_message_bytes: usize,
}

impl IntakeLimits {
    /// Puts a request's body under the limits.
    pub(crate) fn admit<B>(&self, body: B) -> Intake<B> {
        let state = State::Prefix { bytes: [0; PREFIX], len: 0 };
        Intake { body, limits: self.clone(), state, end: None, timer: None }
    }
}

/// A request's body on its way in.
#[derive(Debug)]
pub(crate) struct Intake<B = RequestBody> {
    body: B,
    limits: IntakeLimits,
    state: State,
    /// When a message without a share has to be there. Set when it is first waited for, which
    /// most never are.
    end: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum State {
    /// The first `len` bytes of the prefix have come.
    Prefix {
        bytes: [u8; PREFIX],
        len: usize,
    },
    /// The message is small, and `left` bytes of it are to come.
    Small {
        left: usize,
    },
    Large(Box<Large>),
}

impl State {
    /// Whether the body may end here.
    fn end(&self) -> Result<(), Status> {
        let missing = match self {
            State::Prefix { len: 0, .. } => {
                return Err(Status::invalid_argument("The call has no message"));
            }
            State::Prefix { len, .. } => PREFIX - len,
            State::Small { left } => *left,
            State::Large(large) => large.missing(),
        };
        if missing == 0 {
            return Ok(());
        }
        Err(Status::invalid_argument(format!("The message ends {missing} bytes early")))
    }
}

fn second_message() -> Status {
    Status::invalid_argument("A unary call has one message, and more came after it")
}

impl<B> Intake<B> {
    /// Takes what came. Returns what can be passed on.
    fn take(&mut self, data: Bytes) -> Result<Option<Bytes>, Status> {
        match &mut self.state {
            State::Prefix { bytes, len } => {
                if *len == 0 && data.len() >= PREFIX {
                    return self.begin(data);
                }
                let part = data.len().min(PREFIX - *len);
                bytes[*len..*len + part].copy_from_slice(&data[..part]);
                *len += part;
                if *len < PREFIX {
                    return Ok(None);
                }
                // Rare enough to be copied together.
                let mut first = BytesMut::with_capacity(PREFIX + data.len() - part);
                first.extend_from_slice(bytes);
                first.extend_from_slice(&data[part..]);
                self.begin(first.freeze())
            }
            State::Small { left } => {
                *left = left.checked_sub(data.len()).ok_or_else(second_message)?;
                Ok(Some(data))
            }
            State::Large(large) => large.take(data).map(|()| None),
        }
    }

    /// Decides by the prefix of a message, with which `first` begins, how it is read.
    fn begin(&mut self, first: Bytes) -> Result<Option<Bytes>, Status> {
        let length = [first[1], first[2], first[3], first[4]];
        let size = u32::from_be_bytes(length) as usize;
        let max = self.limits.max_message_bytes;
        if size > max {
            return Err(Status::resource_exhausted(format!(
                "A message of {size} bytes is too large (max {max})"
            )));
        }
        let whole = PREFIX + size;
        self.state = if size <= SMALL {
            State::Small { left: whole }
        } else {
            State::Large(Box::new(Large::new(self.limits.budget.clone(), whole)))
        };
        self.take(first)
    }

    /// Waits for the body no longer than it may take.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            let now = Instant::now();
            let judged = match &mut self.state {
                State::Large(large) => large.look(now),
                _ => None,
            };
            let verdict = judged.unwrap_or_else(|| {
                let end = *self.end.get_or_insert(now + TIME_TO_ARRIVE);
                if now < end { Verdict::Wait(end) } else { Verdict::Stopped }
            });
            let next = match verdict {
                Verdict::Wait(next) => next,
                Verdict::Stopped => {
                    let why = "The message did not arrive in time";
                    return Poll::Ready(Some(Err(Status::deadline_exceeded(why))));
                }
                Verdict::Slow => return Poll::Ready(Some(Err(pace::slow()))),
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next)));
            // A timer that is due earlier is left alone: the next look sets it.
            if timer.is_elapsed() || timer.deadline() > next {
                timer.as_mut().reset(next);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

impl<B> Body for Intake<B>
where
    B: Body<Data = Bytes, Error = Status> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        loop {
            if let State::Large(large) = &mut this.state {
                ready!(large.poll_gather(cx));
                if let Some(block) = large.next_block() {
                    return Poll::Ready(Some(Ok(Frame::data(block))));
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
                return this.poll_timer(cx);
            };
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => return Poll::Ready(this.state.end().err().map(Err)),
            };
            let taken = match frame.into_data() {
                Ok(data) => this.take(data).map(|data| data.map(Frame::data)),
                Err(trailers) => this.state.end().map(|()| Some(trailers)),
            };
            if let Some(frame) = taken.transpose() {
                return Poll::Ready(Some(frame));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            // Asked for its first frame, it reports that there is no message.
            State::Prefix { .. } => false,
            State::Small { left } => *left == 0 && self.body.is_end_stream(),
            State::Large(large) => large.is_passed_on() && self.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
