//! What all threads go by: whether to stop, and why.

use std::sync::{Mutex, PoisonError};

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
    why: Mutex<Option<Stopped>>,
}

impl Control {
    /// Stops all threads. The first reason stands.
    pub(crate) fn stop(&self, why: Stopped) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.stop.cancel();
    }

    /// Why the threads were stopped, if they were.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the threads are to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until they are.
    pub(crate) async fn stopping(&self) {
        self.stop.cancelled().await;
    }
}
