//! Bounds the memory of messages that are still arriving, and the time they may take.
//!
//! A message is put together before it is decoded. Thousands of large ones may be under way
//! at once, on as many streams, and their pieces would add up to many times the cache. So a
//! message that says it is large waits: first for its connection, which takes one at a time,
//! then for its share of one budget of the whole server. Until then nothing more of it is
//! read, and HTTP/2's flow control makes the sender wait. What waits holds no more than its
//! stream's window, and the connection's window has room for that of every stream
//! (`transport::connection`), so what does not wait always gets through. Small messages pass
//! at once.
//!
//! One connection cannot keep the budget from the others: of its messages one has a share at
//! a time, and loses it when it stalls.

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
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::PollSemaphore;
use tonic::Status;

use super::Facts;
use crate::transport::STREAM_WINDOW_BYTES;

/// A message up to this size needs no share: HTTP/2 takes as much of any stream.
const SMALL: usize = STREAM_WINDOW_BYTES as usize;

/// How long a message may take, a large one from its share on, until its last byte. Senders
/// that stop half-way would keep what they hold for ever.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(20);

/// How long a large message may pause while it has a share.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

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

    /// The way in of one connection.
    pub(crate) fn gate(&self) -> IntakeGate {
        IntakeGate(Arc::new(Gate { server: self.clone(), connection: Arc::new(Semaphore::new(1)) }))
    }
}

/// Where the large messages of one connection wait.
#[derive(Clone, Debug)]
pub(crate) struct IntakeGate(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    server: IntakeBudget,
    /// One permit.
    connection: Arc<Semaphore>,
}

impl IntakeGate {
    /// Puts a request's body under the budget.
    pub(crate) fn admit<B>(&self, body: B) -> Intake<B> {
        Intake { body, gate: self.clone(), state: State::Begun, timer: None }
    }
}

/// A request's body on its way in.
#[derive(Debug)]
pub(crate) struct Intake<B = Incoming> {
    body: B,
    gate: IntakeGate,
    state: State,
    /// Set when the body is first waited for, which most never are.
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum State {
    /// Nothing has come yet.
    Begun,
    /// The message is small.
    Free,
    /// The message is large: its beginning is kept until it has its share.
    Waiting(Waiting),
    /// The message arrives; what it holds goes back when the body is dropped.
    Arriving { _held: [OwnedSemaphorePermit; 2], end: Instant, moved: bool },
}

#[derive(Debug)]
struct Waiting {
    first: Option<Bytes>,
    share: u32,
    connection: PollSemaphore,
    place: Option<OwnedSemaphorePermit>,
    server: PollSemaphore,
}

impl Waiting {
    /// Takes the connection's place, then the share.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<[OwnedSemaphorePermit; 2]> {
        const OPEN: &str = "the budgets are never closed";
        let place = match self.place.take() {
            Some(place) => place,
            None => ready!(self.connection.poll_acquire(cx)).expect(OPEN),
        };
        match self.server.poll_acquire_many(cx, self.share) {
            Poll::Ready(share) => Poll::Ready([place, share.expect(OPEN)]),
            Poll::Pending => {
                self.place = Some(place);
                Poll::Pending
            }
        }
    }
}

impl<B> Intake<B> {
    /// Decides by the first bytes of a message whether it needs a share.
    fn begin(&mut self, first: Bytes) -> Option<Bytes> {
        let Gate { server, connection } = &*self.gate.0;
        let size = match first.get(1..PREFIX) {
            Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]) as usize,
            // Nobody sends so little in one frame but to hide the length.
            _ => server.bytes,
        };
        if size <= SMALL {
            self.state = State::Free;
            return Some(first);
        }
        self.state = State::Waiting(Waiting {
            first: Some(first),
            share: size.min(server.bytes) as u32,
            connection: PollSemaphore::new(connection.clone()),
            place: None,
            server: PollSemaphore::new(server.semaphore.clone()),
        });
        None
    }

    /// Waits for the body no longer than it may take.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Polled {
        let now = Instant::now();
        let due = match &mut self.state {
            State::Arriving { end, moved, .. } => {
                std::mem::take(moved).then(|| (now + LONGEST_PAUSE).min(*end))
            }
            _ => self.timer.is_none().then_some(now + TIME_TO_ARRIVE),
        };
        match (&mut self.timer, due) {
            (Some(timer), Some(due)) => timer.as_mut().reset(due),
            (timer @ None, Some(due)) => *timer = Some(Box::pin(sleep_until(due))),
            (_, None) => {}
        }
        if let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(cx));
        }
        Poll::Ready(Some(Err(Status::deadline_exceeded("The message did not arrive in time"))))
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
            if let State::Waiting(waiting) = &mut this.state {
                let held = ready!(waiting.poll(cx));
                let first = waiting.first.take().map(|first| Ok(Frame::data(first)));
                let end = Instant::now() + TIME_TO_ARRIVE;
                this.state = State::Arriving { _held: held, end, moved: true };
                return Poll::Ready(first);
            }
            let Poll::Ready(frame) = poll_body(&mut this.body, cx) else {
                return this.poll_timer(cx);
            };
            match &mut this.state {
                State::Begun => {}
                State::Arriving { moved, .. } => {
                    *moved = true;
                    return Poll::Ready(frame);
                }
                State::Free | State::Waiting(_) => return Poll::Ready(frame),
            }
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(first))) => {
                    if let Some(first) = this.begin(first) {
                        return Poll::Ready(Some(Ok(Frame::data(first))));
                    }
                }
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !matches!(self.state, State::Waiting(_)) && self.body.is_end_stream()
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
    Poll::Ready(frame.map(|frame| {
        frame.map_err(|error| {
            // HTTP/2 breaks a body off when the stream is reset or the connection is lost.
            Facts::of_lost_caller().leave();
            Status::from_error(Box::new(error))
        })
    }))
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
        let mut body = budget.gate().admit(begun(100));
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(budget.semaphore.available_permits(), 1);
    }

    async fn waits(body: &mut Intake<Frames>) -> bool {
        tokio::time::timeout(Duration::from_secs(1), body.frame()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn large_messages_wait_for_their_turn_and_give_it_back() {
        let budget = IntakeBudget::new(1 << 20);
        let mut first = budget.gate().admit(begun(900_000));
        assert!(first.frame().await.unwrap().is_ok());
        let mut second = budget.gate().admit(begun(900_000));
        assert!(waits(&mut second).await);
        drop(first);
        assert!(second.frame().await.unwrap().is_ok());
        assert!(second.frame().await.unwrap().is_ok());
    }

    /// One connection with many large messages that stall must not come before the message
    /// of another connection with all of them.
    #[tokio::test(start_paused = true)]
    async fn a_connection_has_one_large_message_under_way_and_the_others_have_their_turn() {
        let budget = IntakeBudget::new(1 << 20);
        let (greedy, modest) = (budget.gate(), budget.gate());
        let mut first = greedy.admit(begun(900_000));
        assert!(first.frame().await.unwrap().is_ok());
        let mut second = greedy.admit(begun(100_000));
        assert!(waits(&mut second).await, "the connection has its one message");
        let mut other = modest.admit(begun(900_000));
        assert!(waits(&mut other).await, "the budget is used up");
        drop(first);
        assert!(other.frame().await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_larger_than_the_budget_takes_all_of_it() {
        let budget = IntakeBudget::new(1 << 20);
        let mut body = budget.gate().admit(begun(u32::MAX));
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(budget.semaphore.available_permits(), 0);
    }

    async fn gives_up_after(body: &mut Intake<Frames>) -> Duration {
        let started = Instant::now();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_ok());
        let status = body.frame().await.unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        started.elapsed()
    }

    /// A sender that stops half-way must not keep its share, nor a small one its stream.
    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_arrive_is_given_up() {
        let gate = IntakeBudget::new(1 << 20).gate();
        let large = gives_up_after(&mut gate.admit(begun(900_000))).await;
        assert!((LONGEST_PAUSE..TIME_TO_ARRIVE).contains(&large), "{large:?}");
        let small = gives_up_after(&mut gate.admit(begun(100))).await;
        assert!(small >= TIME_TO_ARRIVE, "{small:?}");
    }
}
