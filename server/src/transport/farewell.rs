//! When a draining connection says GOAWAY.
//!
//! Clients that are built on python-h2 (grpclib, betterproto) close the connection at that
//! frame. They lose each call that is open then, even one whose reply came in the same packet.
//! So GOAWAY waits for a moment in which no call is open, and has not been for a while. The
//! less time is left, the shorter the while: a busy connection has short pauses alone.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The part of the time left for which no call may have been open.
const PART: u32 = 10;

/// The least time: a client needs it to read its last reply.
const LEAST: Duration = Duration::from_millis(1);

/// The calls of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) none_open: bool,
    /// The last stream that was opened.
    pub(super) last: u32,
}

/// The wait for the moment.
pub(super) struct Farewell {
    end: Instant,
    calls: Option<Calls>,
    timer: Pin<Box<Sleep>>,
}

impl Farewell {
    /// Waits for at most `timeout`, and then for no moment.
    pub(super) fn within(timeout: Duration) -> Self {
        let end = Instant::now() + timeout;
        Self { end, calls: None, timer: Box::pin(sleep_until(end)) }
    }

    /// Ready when it is time. To be asked whenever the calls may have changed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, calls: Calls) -> Poll<()> {
        if self.calls != Some(calls) {
            self.calls = Some(calls);
            let now = Instant::now();
            let pause = (self.end.saturating_duration_since(now) / PART).max(LEAST);
            let at = if calls.none_open { now + pause } else { self.end };
            self.timer.as_mut().reset(at.min(self.end));
        }
        self.timer.as_mut().poll(cx)
    }
}
