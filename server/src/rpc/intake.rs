//! Bounds the memory of messages that are still arriving.
//!
//! A message is put together before it is decoded. Thousands of large ones may be under way
//! at once, on as many streams, and their pieces would add up to many times the cache. So a
//! message that says it is large waits for its share of one budget of the whole server, and
//! until it has it nothing more of it is read: HTTP/2's flow control makes the sender wait.
//! Small messages pass at once.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tokio_util::sync::PollSemaphore;
use tonic::Status;

/// A message up to this size needs no share: it is no larger than what HTTP/2 buffers for a
/// stream anyway.
const SMALL: usize = 64 << 10;

/// How long a large message may take from its share to its last byte. Without an end, a few
/// senders that stop half-way would keep the budget from all others.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(20);

/// gRPC's frame around a message: a flag and the length, 32 bits, big endian.
const PREFIX: usize = 5;

/// Bytes of large messages that may be under way at once, in the whole server.
#[derive(Clone, Debug)]
pub(crate) struct IntakeBudget {
    semaphore: Arc<Semaphore>,
    bytes: usize,
}

impl IntakeBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Self { semaphore: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// Puts a request's body under the budget.
    pub(crate) fn admit<B>(&self, body: B) -> Intake<B> {
        Intake { body, budget: self.clone(), state: State::Begun }
    }
}

/// A request's body on its way in.
#[derive(Debug)]
pub(crate) struct Intake<B = Incoming> {
    body: B,
    budget: IntakeBudget,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing has come yet.
    Begun,
    /// The message is small, or its stream carries several.
    Free,
    /// The message is large: its beginning is kept until it has its share.
    Waiting { first: Option<Bytes>, share: u32, turn: PollSemaphore },
    /// The message arrives; its share goes back when the body is dropped.
    Arriving { _share: OwnedSemaphorePermit, deadline: Pin<Box<Sleep>> },
}

impl<B> Intake<B> {
    /// Decides by the first bytes of a message whether it needs a share.
    fn begin(&mut self, first: Bytes) -> Option<Bytes> {
        let size = match first.get(1..PREFIX) {
            Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]) as usize,
            // Nobody sends so little in one frame but to hide the length.
            _ => self.budget.bytes,
        };
        if size <= SMALL {
            self.state = State::Free;
            return Some(first);
        }
        self.state = State::Waiting {
            first: Some(first),
            share: size.min(self.budget.bytes) as u32,
            turn: PollSemaphore::new(self.budget.semaphore.clone()),
        };
        None
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

impl<B> Body for Intake<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Free => return poll_body(&mut this.body, cx),
                State::Begun => match ready!(poll_body(&mut this.body, cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(first) => {
                            if let Some(first) = this.begin(first) {
                                return Poll::Ready(Some(Ok(Frame::data(first))));
                            }
                        }
                        Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                    },
                    end => return Poll::Ready(end),
                },
                State::Waiting { first, share, turn } => {
                    let share = ready!(turn.poll_acquire_many(cx, *share))
                        .expect("the budget is never closed");
                    let first = first.take().expect("it is taken once, with the state");
                    let deadline = Box::pin(sleep(TIME_TO_ARRIVE));
                    this.state = State::Arriving { _share: share, deadline };
                    return Poll::Ready(Some(Ok(Frame::data(first))));
                }
                State::Arriving { deadline, .. } => {
                    let frame = poll_body(&mut this.body, cx);
                    if frame.is_pending() {
                        ready!(deadline.as_mut().poll(cx));
                        return Poll::Ready(Some(Err(Status::deadline_exceeded(format!(
                            "The message did not arrive within {} s",
                            TIME_TO_ARRIVE.as_secs()
                        )))));
                    }
                    return frame;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !matches!(self.state, State::Waiting { .. }) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn poll_body<B>(body: &mut B, cx: &mut Context<'_>) -> Polled
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    let frame = ready!(Pin::new(body).poll_frame(cx));
    Poll::Ready(frame.map(|frame| frame.map_err(|error| Status::from_error(Box::new(error)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::collections::VecDeque;

    /// Frames that are there at once.
    struct Frames(VecDeque<Bytes>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            match self.0.pop_front() {
                Some(frame) => Poll::Ready(Some(Ok(Frame::data(frame)))),
                None => Poll::Pending,
            }
        }
    }

    /// A message of `size` bytes, of which only the first part comes.
    fn begun(size: u32) -> Frames {
        let mut first = vec![0];
        first.extend(size.to_be_bytes());
        Frames([Bytes::from(first), Bytes::from_static(b"more")].into())
    }

    #[tokio::test]
    async fn a_small_message_needs_no_share() {
        let budget = IntakeBudget::new(1);
        let mut body = budget.admit(begun(100));
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(budget.semaphore.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn large_messages_wait_for_their_turn_and_give_it_back() {
        let budget = IntakeBudget::new(1 << 20);
        let mut first = budget.admit(begun(900_000));
        assert!(first.frame().await.unwrap().is_ok());
        let mut second = budget.admit(begun(900_000));
        let waiting = tokio::time::timeout(Duration::from_secs(1), second.frame()).await;
        assert!(waiting.is_err(), "the second message did not wait");
        drop(first);
        assert!(second.frame().await.unwrap().is_ok());
        assert!(second.frame().await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_larger_than_the_budget_takes_all_of_it() {
        let budget = IntakeBudget::new(1 << 20);
        let mut body = budget.admit(begun(u32::MAX));
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(budget.semaphore.available_permits(), 0);
    }

    /// A sender that stops half-way must not keep its share for ever.
    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_arrive_gives_up_its_share() {
        let budget = IntakeBudget::new(1 << 20);
        let mut body = budget.admit(begun(900_000));
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_ok());
        let status = body.frame().await.unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    }
}
