//! The body of a request that is a future: the connection puts in what comes, the service takes
//! it out.
//!
//! Both run on the connection's thread. The lock is there because tonic asks for bodies that
//! could move between threads; it is never waited for.

use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use crate::transport::error::Lost;

/// The service's side of a request's body.
#[derive(Debug)]
pub(crate) struct Upload(Arc<Mutex<State>>);

/// The connection's side.
#[derive(Clone, Debug)]
pub(super) struct Feed(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    /// Small pieces behind these, put together: by itself each would take more than it brings.
    small: BytesMut,
    /// The last piece has come.
    ended: bool,
    /// Nothing more comes, and the reply is not wanted.
    lost: bool,
    /// Bytes that were taken out and that the peer has not been given anew.
    taken: usize,
    /// Of the call, which polls the body.
    waker: Option<Waker>,
}

/// A body of which nothing has come yet, unless it has `ended`.
pub(super) fn channel(ended: bool) -> (Feed, Upload) {
    let state = Arc::new(Mutex::new(State { ended, ..State::default() }));
    (Feed(state.clone()), Upload(state))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Every change is complete before anything can panic.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Upload {
    /// A body that broke off.
    pub(super) fn lost() -> Self {
        Self(Arc::new(Mutex::new(State { lost: true, ..State::default() })))
    }
}

impl Feed {
    /// Puts in what has come.
    pub(super) fn push(&self, bytes: &[u8], end: bool) {
        let mut state = lock(&self.0);
        state.put(bytes);
        state.ended |= end;
        state.wake();
    }

    /// The stream is gone.
    pub(super) fn lose(&self) {
        let mut state = lock(&self.0);
        state.lost = true;
        state.wake();
    }

    /// Whether the stream is gone. If not, the call is woken by whatever comes next.
    pub(super) fn is_lost(&self, cx: &Context<'_>) -> bool {
        let mut state = lock(&self.0);
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        state.lost
    }

    /// Bytes that were taken out since this was last asked.
    pub(super) fn take_taken(&self) -> usize {
        mem::take(&mut lock(&self.0).taken)
    }
}

/// Bytes below which a piece is put together with others.
const SMALL: usize = 1 << 10;

impl State {
    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() < SMALL {
            self.small.extend_from_slice(bytes);
            return;
        }
        if !self.small.is_empty() {
            let small = self.small.split().freeze();
            self.pieces.push_back(small);
        }
        self.pieces.push_back(Bytes::copy_from_slice(bytes));
    }

    fn next(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.pieces.pop_front() {
            return Some(piece);
        }
        // The call may wait for long, and nothing is to be put in again.
        if self.ended {
            self.pieces = VecDeque::new();
        }
        let small = if self.ended { mem::take(&mut self.small) } else { self.small.split() };
        (!small.is_empty()).then(|| small.freeze())
    }

    fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum::<usize>() + self.small.len()
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        let mut state = lock(&self.0);
        if let Some(piece) = state.next() {
            state.taken += piece.len();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        // The call, whose part this poll is, has left its waker.
        match (state.lost, state.ended) {
            (true, _) => Poll::Ready(Some(Err(Lost))),
            (false, true) => Poll::Ready(None),
            (false, false) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = lock(&self.0);
        state.ended && state.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        let state = lock(&self.0);
        let here = state.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(here);
        if state.ended {
            hint.set_upper(here);
        }
        hint
    }
}
