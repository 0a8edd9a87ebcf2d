//! Ends the response streams of every service when the server drains.
//!
//! A stream such as a health Watch has no end of its own, and an open stream holds its
//! connection and the drain. The reply of every streaming service is wrapped here, so no service
//! has to know about drains.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::{sync::watch, time::sleep};
use tonic::{Status, body::Body};

use super::Phase;

/// Frames that a stream may still send once the drain has begun: enough for a last word, such
/// as NOT_SERVING, and a bound for a peer that asks question after question.
const LAST_FRAMES: usize = 16;

/// Time that a stream has for its last word once the drain has begun. tokio's watch wakes its
/// receivers in eight groups, so this wrapper can be woken before the stream that it wraps.
const LAST_WORD: Duration = Duration::from_millis(100);

/// A reply's body that ends with UNAVAILABLE at a drain, unless it ends by itself in time.
pub(crate) struct EndsAtDrain {
    body: Body,
    phases: watch::Receiver<Phase>,
    /// Made when the body is first pending, which the body of a unary call never is.
    drain: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    last_frames: usize,
    ended: bool,
}

impl EndsAtDrain {
    pub(crate) fn new(body: Body, phases: watch::Receiver<Phase>) -> Self {
        Self { body, phases, drain: None, last_frames: LAST_FRAMES, ended: false }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let drain = self.drain.get_or_insert_with(|| {
            let mut phases = self.phases.clone();
            Box::pin(async move {
                // An error means that the server is gone, which ends a stream as well.
                let _ = phases.wait_for(is_drain).await;
                sleep(LAST_WORD).await;
            })
        });
        drain.as_mut().poll(cx)
    }
}

fn is_drain(phase: &Phase) -> bool {
    matches!(phase, Phase::Draining(_))
}

impl http_body::Body for EndsAtDrain {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if is_drain(&this.phases.borrow()) {
            this.last_frames = this.last_frames.saturating_sub(1);
        }
        if this.last_frames > 0 {
            if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
                return Poll::Ready(frame);
            }
            ready!(this.poll_drain(cx));
        }
        this.ended = true;
        let mut trailers = HeaderMap::new();
        Status::unavailable("the server is shutting down").add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, stream};
    use http_body::Body as _;
    use http_body_util::{BodyExt, StreamBody};
    use std::task::Waker;

    fn forever(frames: usize) -> Body {
        let frames = stream::repeat(Bytes::from_static(b"x")).take(frames);
        let frames = frames.map(|data| Ok::<_, Status>(Frame::data(data)));
        Body::new(StreamBody::new(frames.chain(stream::pending())))
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_an_end_ends_at_the_drain() {
        let (phase, phases) = watch::channel(Phase::Serving);
        let mut body = EndsAtDrain::new(forever(1), phases);
        assert!(body.frame().await.unwrap().unwrap().is_data());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
        phase.send_replace(Phase::Draining(None));
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "14");
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }

    /// A Watch that was woken after its wrapper ended with UNAVAILABLE before it had sent
    /// NOT_SERVING, in 13 of 240 drains.
    #[tokio::test(start_paused = true)]
    async fn a_stream_that_hears_of_the_drain_late_still_has_its_last_word() {
        let (phase, phases) = watch::channel(Phase::Serving);
        let last = stream::once(async {
            sleep(LAST_WORD / 2).await;
            Ok::<_, Status>(Frame::data(Bytes::from_static(b"bye")))
        });
        let mut body = EndsAtDrain::new(Body::new(StreamBody::new(last)), phases);
        phase.send_replace(Phase::Draining(None));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "bye");
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_stream_that_always_has_more_ends_too() {
        let (phase, phases) = watch::channel(Phase::Draining(None));
        let mut body = EndsAtDrain::new(forever(usize::MAX), phases);
        let mut frames = 0;
        while let Some(frame) = body.frame().await {
            frames += usize::from(frame.unwrap().is_data());
        }
        assert!((1..=LAST_FRAMES).contains(&frames), "{frames}");
        drop(phase);
    }

    #[tokio::test]
    async fn what_ends_by_itself_is_left_alone() {
        let (_phase, phases) = watch::channel(Phase::Draining(None));
        let body = Body::new(http_body_util::Full::new(Bytes::from_static(b"all of it")));
        let collected = EndsAtDrain::new(body, phases).collect().await.unwrap();
        assert!(collected.trailers().is_none());
        assert_eq!(collected.to_bytes(), "all of it");
    }
}
