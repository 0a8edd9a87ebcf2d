//! A connection, and what the pool has learnt about it.

use std::{
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::transport::Connection;

/// A connection of the pool.
#[derive(Debug)]
pub(crate) struct Pooled {
    connection: Connection,
    /// Whether a call has picked it.
    used: AtomicBool,
    /// Whether the server has answered a call over it.
    answered: AtomicBool,
    /// Whether a check is under way because the server may no longer answer.
    suspected: AtomicBool,
    /// Whether it has reached its age and is being replaced.
    outdated: AtomicBool,
}

impl Deref for Pooled {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Pooled {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            used: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            suspected: AtomicBool::new(false),
            outdated: AtomicBool::new(false),
        }
    }

    /// The order in which calls pick connections: working ones first, then those with fewer calls.
    pub(super) fn burden(&self) -> (bool, usize) {
        (self.suspected.load(Ordering::Relaxed), self.calls())
    }

    /// Whether it counts towards the size of the pool.
    pub(super) fn is_wanted(&self) -> bool {
        !self.is_retired() && !self.outdated.load(Ordering::Relaxed)
    }

    /// Whether it is known to be good for further calls.
    pub(super) fn is_sound(&self) -> bool {
        self.is_wanted() && !self.suspected.load(Ordering::Relaxed)
    }

    /// Notes that a call picks it. Only the first call writes: the flag is shared by all cores.
    pub(super) fn note_use(&self) {
        if !self.is_used() {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Notes an answer; true the first time. Only the first call writes.
    pub(super) fn is_first_answer(&self) -> bool {
        !self.has_answered() && !self.answered.swap(true, Ordering::Relaxed)
    }

    /// Marks it as suspected; true unless it was already.
    pub(super) fn suspect(&self) -> bool {
        !self.suspected.swap(true, Ordering::Relaxed)
    }

    pub(super) fn clear(&self) {
        self.suspected.store(false, Ordering::Relaxed);
    }

    pub(super) fn outdate(&self) {
        self.outdated.store(true, Ordering::Relaxed);
    }
}
