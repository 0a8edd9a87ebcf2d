//! What goes on from one row of a trace to the next, and from one file to the next.

use std::time::Duration;

use super::{
    clock::Clock,
    error::Problem,
    findings::TraceFindings,
    time::{Time, TimeUnit},
};

/// What was read so far.
pub(super) struct TraceState {
    pub clock: Clock,
    pub findings: TraceFindings,
    /// Lines or records of the files before.
    pub before: u64,
    /// The resolution of the first row's time.
    pub tick: Option<Duration>,
}

impl TraceState {
    /// Takes the time of a row.
    ///
    /// # Errors
    ///
    /// It is the first, its unit is not known, and it is far beyond seconds.
    pub(super) fn at(
        &mut self,
        time: Time,
        known_unit: bool,
        place: impl FnOnce() -> String,
    ) -> Result<Duration, Problem> {
        if self.tick.is_none() {
            if let Some(likely) = TimeUnit::of_epoch(time.nanos).filter(|_| !known_unit) {
                let found = time.nanos / TimeUnit::Seconds.nanos();
                return Err(Problem::TimeUnit { found, likely });
            }
            self.tick = Some(time.tick);
        }
        let (at, leap) = self.clock.at(time);
        if let Some(leap) = leap {
            self.findings.leap(leap, place);
        }
        Ok(at)
    }
}
