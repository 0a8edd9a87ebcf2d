//! Bounds the memory and the time that one message may take on its way in.
//!
//! A small message passes at once: HTTP/2 takes a window of every stream in any case. A large one
//! is gathered here and passed on when it is complete; what exceeds a window is paid for by its
//! share of the budget ([`IntakeBudget`]). Bytes that were only announced take no memory. A message
//! that waits for room is not read on: HTTP/2's flow control keeps the rest with the sender, and
//! the connection's window has room for every stream (`transport::connection`).
//!
//! The length of a message is known when its prefix is there, in however many DATA frames it comes.
//! Whether the body is a message at all is checked behind this, in `messages`.

mod large; // gathers a large message
mod budget; // the memory of all large messages
mod pace; // the time that one may take

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tiny_cache_proto::PREFIX_BYTES;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

pub(crate) use self::budget::IntakeBudget;
use self::{
    large::{Large, SMALL},
    pace::Verdict,
};
use super::request_body::RequestBody;

/// How long a small message may take, and the beginning of a large one. It holds little, but
/// it does hold its stream.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(20);

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
        let state = State::Prefix { bytes: [0; PREFIX_BYTES], len: 0 };
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
        bytes: [u8; PREFIX_BYTES],
        len: usize,
    },
    /// The message is small: all that comes is passed on.
    Small,
    Large(Box<Large>),
}

impl<B> Intake<B> {
    /// Takes what came. Returns what can be passed on.
    fn take(&mut self, data: Bytes) -> Option<Bytes> {
        match &mut self.state {
            State::Prefix { bytes, len } => {
                if *len == 0 && data.len() >= PREFIX_BYTES {
                    return self.begin(data);
                }
                let part = data.len().min(PREFIX_BYTES - *len);
                bytes[*len..*len + part].copy_from_slice(&data[..part]);
                *len += part;
                if *len < PREFIX_BYTES {
                    return None;
                }
                // Rare enough to be copied together.
                let first = [&bytes[..], &data[part..]].concat();
                self.begin(first.into())
            }
            State::Small => Some(data),
            State::Large(large) => {
                large.take(data);
                None
            }
        }
    }

    /// Decides by the prefix of a message, with which `first` begins, how it is read.
    fn begin(&mut self, first: Bytes) -> Option<Bytes> {
        let length = [first[1], first[2], first[3], first[4]];
        let size = u32::from_be_bytes(length) as usize;
        // One over the limit is refused as soon as its prefix is passed on.
        self.state = if size <= SMALL || size > self.limits.max_message_bytes {
            State::Small
        } else {
            let whole = PREFIX_BYTES + size;
            State::Large(Box::new(Large::new(self.limits.budget.clone(), whole)))
        };
        self.take(first)
    }

    /// What of a body that has ended is not passed on yet.
    fn rest(&mut self) -> Option<Bytes> {
        match &mut self.state {
            State::Prefix { bytes, len } => {
                let cut = Bytes::copy_from_slice(&bytes[..*len]);
                *len = 0;
                Some(cut).filter(|cut| !cut.is_empty())
            }
            State::Small => None,
            State::Large(large) => large.pop(),
        }
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
            let Some(frame) = frame else {
                return Poll::Ready(this.rest().map(|rest| Ok(Frame::data(rest))));
            };
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => {
                    if let Some(data) = this.take(data) {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Ok(Err(trailers)) => return Poll::Ready(Some(Ok(trailers))),
                Err(status) => return Poll::Ready(Some(Err(status))),
            }
        }
    }
}

#[cfg(test)]
mod tests;
