//! A connection with what the pool has found out about it.

use std::{
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::transport::Connection;

/// A connection of the pool.
#[derive(Debug)]
pub(crate) struct Pooled {
    connection: Connection,
    /// Whether a call was to be made over it.
    used: AtomicBool,
    /// Whether the server has answered a call over it.
    answered: AtomicBool,
    /// Whether it is being found out if the server still answers.
    suspected: AtomicBool,
    /// Whether it has reached its age and goes as soon as another is there.
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

    /// What calls are spread by: first whether it works, as far as is known.
    pub(super) fn burden(&self) -> (bool, usize) {
        (self.suspected.load(Ordering::Relaxed), self.calls())
    }

    /// Whether it counts among the connections that there may be.
    pub(super) fn is_wanted(&self) -> bool {
        !self.is_retired() && !self.outdated.load(Ordering::Relaxed)
    }

    /// Whether nothing speaks against further calls over it.
    pub(super) fn is_sound(&self) -> bool {
        self.is_wanted() && !self.suspected.load(Ordering::Relaxed)
    }

    /// Notes that a call takes it. Every call does, so it only reads after the first.
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

    /// Notes an answer; true the first time. Every call asks, so it only reads after that.
    pub(super) fn is_first_answer(&self) -> bool {
        !self.has_answered() && !self.answered.swap(true, Ordering::Relaxed)
    }

    /// Marks it as suspected; true unless it is already.
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
