//! What a run is doing, on stderr, if that is a terminal.

use std::io::{IsTerminal, Write, stderr};

/// A line that is overwritten.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    done: usize,
    of: usize,
}

impl Progress {
    /// Counts to `of` rounds.
    pub fn new(of: usize) -> Self {
        Self { shown: stderr().is_terminal(), done: 0, of }
    }

    /// Says what comes next.
    pub fn next(&mut self, what: &str) {
        self.done += 1;
        if self.shown {
            let percent = 100 * self.done.min(self.of) / self.of.max(1);
            // Nobody to show it to is no reason to stop.
            let _ = write!(stderr(), "\r\x1b[K{percent:3} %  {what}");
        }
    }

    /// Removes the line.
    pub fn clear(&self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
