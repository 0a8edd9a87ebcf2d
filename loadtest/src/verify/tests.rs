//! Tests of the parts together: each rule by itself, random schedules, several threads.

mod rules; // what is allowed and what is not, case by case
mod simulation; // caches that are linearizable, and caches that are not
mod threads; // one ledger, many hands

use std::time::Duration;

use super::{Allowed, Begun, Fate, Judged, Kind, Ledger, Name, PendingWrite};

const RUN: u64 = 0xa11;
const SIZE: u32 = 100;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What was seen, or the kind of violation.
fn in_short(verdict: Judged) -> Result<Allowed, Kind> {
    verdict.map_err(|violation| violation.kind)
}
