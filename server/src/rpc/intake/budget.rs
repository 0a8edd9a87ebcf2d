//! One budget of memory for all large messages that are arriving, in the whole server.
//!
//! It counts the bytes that have arrived and are held, block by block. Bytes that were only
//! announced cost nothing. Knows sizes, ages and wakers; it knows neither HTTP nor clocks.
//!
//! - **Age.** A message gets a block only if afterwards every older message could still
//!   finish, the oldest first. The oldest always gets one. So messages that are half there
//!   never wait for each other, however many there are.
//! - **Room for smaller ones.** A message leaves as many bytes free as it is long itself, up
//!   to a fifth of the budget.
//! - **What fits passes.** Where all messages fit together, each leaves a twentieth, at least
//!   320 KiB, and none waits. A message of up to a fifth leaves no more than that at any time,
//!   if its whole rest has room. So a message of half a twentieth passes beside any number of
//!   larger ones, and one of three twentieths beside those above a fifth that do not all fit.
//! - **The bound.** The blocks never add up to more than the budget. A message that is larger
//!   than four fifths of it is the exception: it may grow to its length when it is the oldest,
//!   and the others share the last fifth.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// The part of the budget, one in so many, that the largest messages leave to smaller ones.
const RESERVE: usize = 5;

/// The part that is left where all messages fit, and by those that fit into the reserve.
const SPARE: usize = 20;

/// The least of that part. A message of 200 kB needs 134 kB of the budget, and as much beside.
const LEAST_SPARE: usize = 320 << 10;

/// Memory for messages that are arriving. Clones are the same budget.
#[derive(Clone, Debug)]
pub(crate) struct IntakeBudget(Arc<Mutex<Ledger>>);

impl IntakeBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Ledger {
            limit: bytes,
            next_age: 0,
            held: 0,
            claimed: 0,
            waiting: 0,
            messages: BTreeMap::new(),
        })))
    }

    /// Enters a message of `size` bytes, the youngest of all. It holds nothing yet.
    pub(crate) fn enter(&self, size: usize) -> Share {
        let mut ledger = self.ledger();
        let age = ledger.next_age;
        ledger.next_age += 1;
        ledger.claimed += ledger.claim(size);
        ledger.messages.insert(age, Entry { size, held: 0, wanted: 0, waker: None });
        drop(ledger);
        Share { budget: self.clone(), age }
    }

    /// Whether a message waits for room.
    pub(crate) fn is_short(&self) -> bool {
        self.ledger().waiting > 0
    }

    /// Bytes that are held now.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.ledger().held
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Every change of the ledger is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one message holds of the budget, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: IntakeBudget,
    age: u64,
}

impl Share {
    /// Takes `bytes` more, or waits for them.
    pub(crate) fn poll_take(&mut self, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        self.budget.ledger().take(self.age, bytes, cx)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let woken = self.budget.ledger().leave(self.age);
        // Outside the lock, which the woken need.
        woken.into_iter().for_each(Waker::wake);
    }
}

#[derive(Debug)]
struct Ledger {
    limit: usize,
    next_age: u64,
    /// The sum of what the messages hold.
    held: usize,
    /// The sum of their claims.
    claimed: usize,
    /// Messages that wait for a block.
    waiting: usize,
    /// By age, the oldest first.
    messages: BTreeMap<u64, Entry>,
}

/// What messages leave free.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    limit: usize,
    reserve: usize,
    spare: usize,
}

impl Bounds {
    /// How far the older messages, and what the younger hold, may fill the budget for
    /// `message` to take `bytes` more. None if it is too small for them.
    fn fullest(self, message: &Entry, bytes: usize) -> Option<usize> {
        let block = self.limit.checked_sub(message.size.min(self.reserve) + bytes);
        if message.size > self.reserve {
            return block;
        }
        let rest = message.size.saturating_sub(message.held).max(bytes);
        block.max(self.limit.checked_sub(message.size.min(self.spare) + rest))
    }
}

#[derive(Debug)]
struct Entry {
    size: usize,
    held: usize,
    /// What it asked for when it began to wait.
    wanted: usize,
    waker: Option<Waker>,
}

impl Ledger {
    fn reserve(&self) -> usize {
        self.limit / RESERVE
    }

    /// What is kept for a message of `size` bytes once it is the oldest.
    fn claim(&self, size: usize) -> usize {
        size.min(self.limit - self.reserve())
    }

    fn bounds(&self) -> Bounds {
        let reserve = self.reserve();
        let spare = (self.limit / SPARE).max(LEAST_SPARE).min(reserve);
        Bounds { limit: self.limit, reserve, spare }
    }

    fn take(&mut self, age: u64, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        let fits = self.fits(age, bytes);
        let Some(message) = self.messages.get_mut(&age) else {
            return Poll::Ready(());
        };
        if fits {
            message.held += bytes;
            self.held += bytes;
            self.waiting -= usize::from(message.waker.take().is_some());
            return Poll::Ready(());
        }
        message.wanted = bytes;
        match &mut message.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => {
                *none = Some(cx.waker().clone());
                self.waiting += 1;
            }
        }
        Poll::Pending
    }

    /// Whether every older message could still finish if this one took `bytes` more.
    fn fits(&self, age: u64, bytes: usize) -> bool {
        let Some(message) = self.messages.get(&age) else {
            return true;
        };
        let bounds = self.bounds();
        if self.claimed <= self.limit - message.size.min(bounds.spare) {
            // There is room for all of all messages.
            return true;
        }
        let fullest = bounds.fullest(message, bytes);
        let mut younger = self.held;
        for older in self.messages.range(..age).map(|(_, older)| older) {
            // When it is the oldest, those that are younger still hold what they hold now.
            younger -= older.held;
            if Some(self.claim(older.size) + younger) > fullest {
                return false;
            }
        }
        true
    }

    /// Takes a message out. Returns the wakers of those that now get what they wait for.
    fn leave(&mut self, age: u64) -> Vec<Waker> {
        if let Some(message) = self.messages.remove(&age) {
            self.held -= message.held;
            self.claimed -= self.claim(message.size);
            self.waiting -= usize::from(message.waker.is_some());
        }
        if self.waiting == 0 { Vec::new() } else { self.wake() }
    }

    /// One walk from the oldest to the youngest, with the rule of [`Ledger::fits`]. Waking all
    /// that wait would cost a walk for each of them.
    fn wake(&mut self) -> Vec<Waker> {
        let bounds = self.bounds();
        let all_claimed = self.claimed;
        let mut woken = Vec::new();
        let mut younger = self.held;
        // The fullest that the budget becomes until all older ones are done.
        let mut fullest = 0;
        let mut given = 0;
        for (place, message) in self.messages.values_mut().enumerate() {
            let allowed = bounds.fullest(message, message.wanted);
            let fits = place == 0
                || all_claimed <= bounds.limit - message.size.min(bounds.spare)
                || Some(fullest + given) <= allowed;
            if fits && let Some(waker) = message.waker.take() {
                given += message.wanted;
                woken.push(waker);
            }
            younger -= message.held;
            fullest = fullest.max(message.size.min(bounds.limit - bounds.reserve) + younger);
        }
        self.waiting -= woken.len();
        woken
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
