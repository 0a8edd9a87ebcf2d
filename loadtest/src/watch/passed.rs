//! A second that is whole, as those see it who write it down.

use std::time::SystemTime;

use crate::engine::Second;

/// A second to which nothing is added any more.
pub(super) struct Passed {
    /// The step, counted from 0.
    pub(super) step: usize,
    /// Seconds since the step's warm-up, at the beginning of this one.
    pub(super) index: u64,
    /// The same by the calendar.
    pub(super) at: SystemTime,
    /// Whether requests had an instant that they were meant for.
    pub(super) is_open: bool,
    /// What it brought.
    pub(super) second: Second,
}
