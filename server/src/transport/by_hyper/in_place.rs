//! Runs a request's future where it was made.
//!
//! A unary request usually arrives whole, and its handler waits for nothing, so the first
//! poll finishes it: no task, no queue, no wake-up. What does wait, for the rest of a body
//! or for the peer's flow control, becomes a task of this thread.

use std::{
    pin::Pin,
    task::{Context, Waker},
};

use hyper::rt::Executor;

/// Polls once on the spot, and spawns onto this thread's runtime what is not done.
#[derive(Clone, Copy, Debug)]
pub(super) struct InPlace;

impl<F> Executor<F> for InPlace
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        // One allocation either way: a future that has been polled may not move.
        let mut future: Pin<Box<F>> = Box::pin(future);
        // The spawned task polls again before it sleeps, and so registers its own waker.
        let mut cx = Context::from_waker(Waker::noop());
        if future.as_mut().poll(&mut cx).is_pending() {
            tokio::task::spawn_local(future);
        }
    }
}
