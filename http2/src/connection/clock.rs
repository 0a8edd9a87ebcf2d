//! The times that deadlines count from. Time is an argument of every call; nothing here waits.

use std::time::Instant;

use crate::patience::Waiting;

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
    /// Since when little of what waits was written.
    pub(super) writing: Option<Waiting>,
    /// When streams that wait were last looked at.
    pub(super) looked: Option<Instant>,
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
            looked: None,
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

    /// A frame, or a header block, that came in pieces is complete.
    #[inline]
    pub(super) fn completed(&mut self) {
        self.reading = None;
    }

    #[inline]
    pub(super) fn wrote(&mut self, bytes: usize, more: bool, now: Instant) {
        if more {
            self.writing.get_or_insert(Waiting::from(now)).take(bytes, now);
        } else {
            self.writing = None;
        }
    }

    pub(super) fn gathering(&mut self, end: Instant) {
        self.gather_end.get_or_insert(end);
    }
}
