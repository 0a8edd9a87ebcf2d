//! Deadlines that the HTTP/2 library does not have: for header blocks, for peers that do not take
//! their replies, and for the connection's own end. Goes by what passes on the socket.
//!
//! The library does not say which stream waits for its window, so a stream cannot be given up alone
//! here: while room is short, the connection goes whose large reply does not move.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tiny_cache_http2::{Code, ConnectionError, ErrorKind};
use tokio::time::{Sleep, sleep_until};

use crate::{
    pinned::Pressure,
    transport::{
        farewell::Calls,
        lifetime::{Due, Lifetime},
        limits::{Limits, Peer},
    },
};

/// How often a connection is looked at that waits for its peer.
const LOOK: Duration = Duration::from_secs(1);

/// Bytes that must be taken within the time: as the engine has it.
const LEAST_TAKEN: u64 = 16 << 10;

/// What passes on the socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    pub(super) calls: Calls,
    /// Whether a header block is incomplete.
    pub(super) in_block: bool,
    /// Frames that have come whole.
    pub(super) frames: u64,
    /// Whether the socket takes no more just now.
    pub(super) is_full: bool,
    /// Whether a reply has begun that may be large.
    pub(super) is_replying: bool,
    /// Bytes that the socket has taken.
    pub(super) taken: u64,
}

/// The deadlines of one connection.
pub(super) struct Watch {
    limits: Limits,
    lifetime: Option<Box<Lifetime>>,
    /// Since when a header block is incomplete, and the frames before it.
    block: Option<(Instant, u64)>,
    /// Since when little was taken, and the bytes before that.
    waiting: Option<(Instant, u64)>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is to be done with the connection.
pub(super) enum Verdict {
    Nothing,
    /// Say that it ends.
    Retire,
    /// Close it.
    Cut,
    /// Its peer does not go on.
    Stalled(ConnectionError),
}

impl Watch {
    pub(super) fn new(limits: Limits, peer: &Peer) -> Self {
        let opened = now();
        let lifetime = Lifetime::of(&limits, &peer.retirements, opened);
        Self { limits, lifetime, block: None, waiting: None, timer: None }
    }

    /// Looks at what passes, and wakes the task when there is something to see again.
    pub(super) fn look(&mut self, cx: &mut Context<'_>, passing: Passing) -> Verdict {
        loop {
            let now = now();
            if let Some(reason) = self.stalled(passing, now) {
                let (kind, code) = (ErrorKind::Stalled, Code::ENHANCE_YOUR_CALM);
                return Verdict::Stalled(ConnectionError { kind, code, reason });
            }
            let due = self.lifetime.as_mut().map(|lifetime| lifetime.due(passing.calls, now));
            match due {
                Some(Due::Retire) => return Verdict::Retire,
                Some(Due::Cut) => return Verdict::Cut,
                Some(Due::Nothing) | None => {}
            }
            let looks = self.block.is_some() || self.waiting.is_some() || passing.is_replying;
            let lifetime = self.lifetime.as_ref().and_then(|lifetime| lifetime.deadline());
            let next = looks.then(|| now + LOOK).into_iter().chain(lifetime).min();
            let Some(next) = next else { return Verdict::Nothing };
            if self.wait(cx, next.into()).is_pending() {
                return Verdict::Nothing;
            }
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>, next: tokio::time::Instant) -> Poll<()> {
        match &mut self.timer {
            Some(timer) if timer.deadline() <= next && !timer.is_elapsed() => {}
            Some(timer) => timer.as_mut().reset(next),
            none => *none = Some(Box::pin(sleep_until(next))),
        }
        let timer = self.timer.as_mut().expect("it was just set where it was not");
        timer.as_mut().poll(cx)
    }

    fn stalled(&mut self, passing: Passing, now: Instant) -> Option<&'static str> {
        let pressure = self.limits.pinned.pressure();
        self.block = passing.in_block.then_some(match self.block {
            Some((since, frames)) if frames == passing.frames => (since, frames),
            _ => (now, passing.frames),
        });
        let waits = passing.is_full || (passing.is_replying && pressure != Pressure::None);
        self.waiting = waits.then_some(match self.waiting {
            Some((since, taken)) if passing.taken - taken < LEAST_TAKEN => (since, taken),
            _ => (now, passing.taken),
        });
        let has_passed = |since: Option<(Instant, u64)>, time: Duration| {
            since.is_some_and(|(since, _)| now >= since + time)
        };
        if has_passed(self.block, self.limits.handshake_timeout) {
            return Some("a frame or header block was not completed");
        }
        if has_passed(self.waiting, Limits::patience(pressure).stall_time) {
            return Some("the peer took nothing of its replies");
        }
        None
    }
}

/// The time on the clock that timers go by.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::pinned::PinnedLimit;

    const QUIET: Passing = Passing {
        calls: Calls { none_open: true, last: 0 },
        in_block: false,
        frames: 0,
        is_full: false,
        is_replying: false,
        taken: 0,
    };

    async fn pass(watch: &mut Watch, seconds: u64, passing: impl Fn(u64) -> Passing) -> bool {
        for second in 0..seconds {
            let mut cx = Context::from_waker(Waker::noop());
            if let Verdict::Stalled(_) = watch.look(&mut cx, passing(second)) {
                return true;
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        false
    }

    fn watch(pinned: usize) -> Watch {
        let limits = Limits { pinned: PinnedLimit(pinned), ..Limits::default() };
        Watch::new(limits, &Peer::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_block_has_its_time_and_other_frames_none() {
        let block = |_| Passing { in_block: true, frames: 7, ..QUIET };
        assert!(!pass(&mut watch(usize::MAX), 10, block).await);
        assert!(pass(&mut watch(usize::MAX), 11, block).await);
        let many = |second| Passing { in_block: true, frames: second, ..QUIET };
        assert!(!pass(&mut watch(usize::MAX), 100, many).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_is_full_has_to_take_some() {
        let full = |_| Passing { is_full: true, ..QUIET };
        assert!(!pass(&mut watch(usize::MAX), 60, full).await);
        assert!(pass(&mut watch(usize::MAX), 61, full).await);
        let slow = |second| Passing { is_full: true, taken: second << 16, ..QUIET };
        assert!(!pass(&mut watch(usize::MAX), 300, slow).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_does_not_move_ends_its_connection_while_room_is_short() {
        let replying = |_| Passing { is_replying: true, ..QUIET };
        assert!(!pass(&mut watch(usize::MAX), 300, replying).await);
        crate::pinned::add(1);
        let ended = pass(&mut watch(0), 30, replying).await;
        crate::pinned::take_off(1);
        assert!(ended);
    }
}
