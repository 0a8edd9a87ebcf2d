//! When a draining connection says GOAWAY.
//!
//! Clients that are built on python-h2 (grpclib, betterproto) close the connection at that
//! frame. They lose each call that is open then, even one whose reply came in the same packet.
//! So GOAWAY waits for a moment in which no call is open, and has not been for a while. The
//! less time is left, the shorter the while: a busy connection has short pauses alone. A PING
//! shows then that the peer has read its last reply, and has not sent another call meanwhile.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The part of the time left for which no call may have been open.
const PART: u32 = 10;

/// The least time for which no call may have been open.
const LEAST: Duration = Duration::from_millis(1);

/// What the PING carries, by which its answer is known.
pub(super) const PING_PAYLOAD: [u8; 8] = *b"farewell";

/// The calls of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) none_open: bool,
    /// The last stream that was opened.
    pub(super) last: u32,
}

/// What is to be done now.
pub(super) enum Step {
    Wait,
    /// Send PING.
    Ping,
    /// Say GOAWAY.
    Go,
}

/// The wait for the moment.
pub(super) struct Farewell {
    end: Instant,
    calls: Option<Calls>,
    timer: Pin<Box<Sleep>>,
    /// How many answers had come when PING was sent.
    pinged: Option<u32>,
}

impl Farewell {
    /// Waits for at most `timeout`, and then for no moment.
    pub(super) fn within(timeout: Duration) -> Self {
        let end = Instant::now() + timeout;
        Self { end, calls: None, timer: Box::pin(sleep_until(end)), pinged: None }
    }

    /// Takes the next step; to be asked whenever the calls or the answers may have changed.
    pub(super) fn step(&mut self, cx: &mut Context<'_>, calls: Calls, pongs: u32) -> Step {
        if self.calls != Some(calls) {
            self.calls = Some(calls);
            self.pinged = None;
            let now = Instant::now();
            let pause = (self.end.saturating_duration_since(now) / PART).max(LEAST);
            let at = if calls.none_open { now + pause } else { self.end };
            self.timer.as_mut().reset(at.min(self.end));
        }
        if self.pinged.is_some_and(|before| before != pongs) {
            return Step::Go;
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return Step::Wait;
        }
        if self.timer.deadline() >= self.end {
            return Step::Go;
        }
        self.pinged = Some(pongs);
        self.timer.as_mut().reset(self.end);
        // Registers the task; the time of a timeout of zero was over above.
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => Step::Go,
            Poll::Pending => Step::Ping,
        }
    }
}
