//! What all threads go by: whether to stop, and why.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

/// Why a course was stopped before its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stopped {
    /// By Ctrl-C.
    Interrupted,
    /// More requests were under way than may be.
    TooManyInFlight,
    /// A thread fell far behind its plan, or has no alarm to keep it by.
    FarBehind,
}

/// The brake of a course.
#[derive(Default)]
pub(crate) struct Control {
    stop: CancellationToken,
    abandon: CancellationToken,
    why: OnceLock<Stopped>,
}

impl Control {
    /// Stops all threads. The first reason stands.
    pub(crate) fn stop(&self, why: Stopped) {
        self.why.get_or_init(|| why);
        self.stop.cancel();
    }

    /// Why the threads were stopped, if they were.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        self.why.get().copied()
    }

    /// Whether the threads are to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Stops all threads without their replies.
    pub(crate) fn abandon(&self, why: Stopped) {
        self.stop(why);
        self.abandon.cancel();
    }

    /// Whether replies are waited for no longer.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandon.is_cancelled()
    }

    /// Waits until replies are waited for no longer.
    pub(crate) async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }

    /// Waits until they are to stop.
    pub(crate) async fn stopping(&self) {
        self.stop.cancelled().await;
    }
}
