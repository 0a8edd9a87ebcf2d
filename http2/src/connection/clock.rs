//! The times that deadlines count from. Time is an argument of every call; nothing here waits.

use std::time::Instant;

/// What the PING for a silent peer carries.
pub(super) const ALIVE: [u8; 8] = *b"\0alive?\0";

/// The times that deadlines count from.
#[derive(Debug)]
pub(super) struct Clock {
    /// The time of the last tick, so that the calls of one turn look only once.
    pub(super) ticked: Option<Instant>,
    pub(super) opened: Instant,
    pub(super) heard: Instant,
    pub(super) pinged: Option<Instant>,
    /// When the first body that is gathered has taken too long.
    pub(super) gather_end: Option<Instant>,
    /// Since when a frame or a header block is incomplete.
    pub(super) reading: Option<Instant>,
    /// Since when nothing of what waits was written.
    pub(super) writing: Option<Instant>,
}

impl Clock {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ticked: None,
            opened: now,
            heard: now,
            pinged: None,
            gather_end: None,
            reading: None,
            writing: None,
        }
    }

    #[inline]
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    #[inline]
    pub(super) fn is_reading(&mut self, partial: bool, now: Instant) {
        self.reading = if partial { self.reading.or(Some(now)) } else { None };
    }

    #[inline]
    pub(super) fn wrote(&mut self, bytes: usize, more: bool, now: Instant) {
        if bytes > 0 || !more {
            self.writing = None;
        }
        if more {
            self.writing.get_or_insert(now);
        }
    }

    pub(super) fn gathering(&mut self, end: Instant) {
        self.gather_end.get_or_insert(end);
    }
}
