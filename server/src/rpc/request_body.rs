//! The body of a request: reports a caller that is gone, and is not lost when it is dropped
//! half read.
//!
//! A reply that ends while the request is still being sent makes HTTP/2 reset the stream.
//! Proxies may pass on the reset and drop the reply: through haproxy 2.6, an early
//! RESOURCE_EXHAUSTED reaches the caller as CANCELLED. So the rest of the request is read and
//! dropped first ([`Unread`]). tonic drops a body that it refuses from inside the poll of its
//! future; there is no place for the rest in what it returns, so the body leaves it with its call.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use crate::{
    call::{Exchange, Report},
    transport::Incoming,
};

/// Bytes of a refused request that are read and dropped. They cost no memory. Above this the
/// caller gets its error at once, and may see a reset behind some proxies.
const MOST_DROPPED_BYTES: usize = 64 << 20;

/// How long that may take: the error waits for as long.
const MOST_DROPPED_TIME: Duration = Duration::from_secs(2);

/// What a body leaves with its call: the rest, where it was dropped half read. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest(Arc<Mutex<Option<Incoming>>>);

impl Rest {
    fn lock(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was left, if anything.
    pub(super) fn take(&self) -> Option<Incoming> {
        self.lock().take()
    }
}

/// A request's body.
#[derive(Debug)]
pub(crate) struct RequestBody {
    body: Option<Incoming>,
    rest: Rest,
    exchange: Exchange,
}

impl RequestBody {
    /// A body that reports on its caller to `exchange`, and leaves its rest in `rest`.
    pub(super) fn new(body: Incoming, rest: Rest, exchange: Exchange) -> Self {
        Self { body: Some(body), rest, exchange }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream());
        if let Some(rest) = rest {
            *self.rest.lock() = Some(rest);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        // A reset ends a body too, and one without an error (NO_ERROR) looks like its end.
        let broken = match &frame {
            Some(Ok(_)) => return Poll::Ready(frame.map(|frame| frame.map_err(|_| gone()))),
            Some(Err(_)) => true,
            None => !body.is_end_stream(),
        };
        self.body = None;
        if broken {
            self.exchange.leave(Report::of_lost_caller());
        }
        Poll::Ready(broken.then(|| Err(gone())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The stream was reset, or the connection is lost. CANCELLED would be the natural status, but
/// tonic takes it for the end of the body, and carries out a call whose message was complete.
fn gone() -> Status {
    Status::aborted("the caller is gone")
}

/// The rest of a refused request, and the reply that waits for it.
pub(super) struct Unread<R, B = Incoming> {
    body: B,
    reply: Option<Response<R>>,
    left: usize,
    timer: Pin<Box<Sleep>>,
}

impl<R, B> Unread<R, B> {
    /// Drops the rest of `body`, at the longest for half of the time that the caller waits.
    pub(super) fn new(body: B, reply: Response<R>, deadline: Option<Instant>) -> Self {
        let now = Instant::now();
        let patience = deadline.map_or(MOST_DROPPED_TIME, |deadline| {
            MOST_DROPPED_TIME.min(deadline.saturating_duration_since(now) / 2)
        });
        let timer = Box::pin(sleep_until(now + patience));
        Self { body, reply: Some(reply), left: MOST_DROPPED_BYTES, timer }
    }
}

impl<R, B> Future for Unread<R, B>
where
    R: Unpin,
    B: Body<Data = Bytes> + Unpin,
{
    type Output = Response<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<R>> {
        let this = &mut *self;
        loop {
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
                ready!(this.timer.as_mut().poll(cx));
                break;
            };
            let Some(Ok(frame)) = frame else { break };
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(left) = this.left.checked_sub(bytes) else { break };
            this.left = left;
        }
        Poll::Ready(this.reply.take().expect("polled once to its end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks of a mebibyte, of which the last ones never come.
    struct Chunks(usize);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Pending };
            self.0 = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 1 << 20])))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_waits_for_the_rest_of_a_request_within_a_bound_of_time() {
        let second = Duration::from_secs(1);
        for (deadline, waited) in [
            (None, MOST_DROPPED_TIME),
            (Some(second), second / 2),
            (Some(Duration::ZERO), Duration::ZERO),
        ] {
            let started = Instant::now();
            let deadline = deadline.map(|after| started + after);
            Unread::new(Chunks(3), Response::new(()), deadline).await;
            let elapsed = started.elapsed();
            assert!((waited..waited + second / 100).contains(&elapsed), "{elapsed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_waits_for_the_rest_of_a_request_within_a_bound_of_bytes() {
        let started = Instant::now();
        Unread::new(Chunks(usize::MAX), Response::new(()), None).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
