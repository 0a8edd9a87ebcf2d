//! What was odd about a trace that was replayed.

use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::{OneLine, row};
use crate::trace::{Odd, TraceFindings};

/// What was read of a trace, which may be a little more than was sent.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TraceReport {
    /// Rows read: lines or records that say something.
    pub rows: u64,
    /// Rows that were left out since they are broken.
    pub skipped_rows: u64,
    /// The first of them, with what is wrong with it.
    pub first_skipped: Option<String>,
    /// Rows that are earlier than the one before.
    pub backwards_rows: u64,
    /// The longest way back.
    pub longest_backwards_seconds: f64,
    /// The first of them.
    pub first_backwards: Option<String>,
    /// Rows that are later than the one before by more than the longest gap.
    pub ahead_rows: u64,
    /// The longest way ahead.
    pub longest_ahead_seconds: f64,
    /// The first of them.
    pub first_ahead: Option<String>,
    /// The longest gap: beyond, ahead or back, the trace's times break off and go on at once.
    pub max_gap_seconds: f64,
    /// Keys that were too long and end in a hash.
    pub hashed_keys: u64,
    /// The first of them.
    pub first_hashed: Option<String>,
}

impl TraceReport {
    /// Sums up what was found.
    pub fn of(findings: &TraceFindings, max_gap: Duration) -> Self {
        let Odd { skipped, backwards, ahead, hashed, .. } = findings.odd();
        Self {
            rows: findings.rows(),
            skipped_rows: skipped.count,
            first_skipped: skipped.first,
            backwards_rows: backwards.count,
            longest_backwards_seconds: backwards.longest.as_secs_f64(),
            first_backwards: backwards.first,
            ahead_rows: ahead.count,
            longest_ahead_seconds: ahead.longest.as_secs_f64(),
            first_ahead: ahead.first,
            max_gap_seconds: max_gap.as_secs_f64(),
            hashed_keys: hashed.count,
            first_hashed: hashed.first,
        }
    }
}

impl Display for TraceReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let first = |first: &Option<String>| OneLine(first.as_deref().unwrap_or("-")).to_string();
        if self.skipped_rows > 0 {
            let (rows, first) = (self.skipped_rows, first(&self.first_skipped));
            row!(out, "broken rows", "{rows} left out, the first: {first}")?;
        }
        if self.backwards_rows > 0 {
            let (rows, by) = (self.backwards_rows, span(self.longest_backwards_seconds));
            let first = first(&self.first_backwards);
            row!(out, "times backwards", "{rows}, by up to {by}, the first: {first}")?;
        }
        if self.ahead_rows > 0 {
            let (by, gap) = (span(self.longest_ahead_seconds), span(self.max_gap_seconds));
            let (rows, first) = (self.ahead_rows, first(&self.first_ahead));
            let more = format_args!("{rows} by more than {gap}, by up to {by}");
            row!(out, "times ahead", "{more}, the first: {first}")?;
        }
        if self.hashed_keys > 0 {
            let (keys, first) = (self.hashed_keys, first(&self.first_hashed));
            row!(out, "keys hashed", "{keys}, the first: {first}")?;
        }
        let odd = self.skipped_rows + self.backwards_rows + self.ahead_rows + self.hashed_keys;
        if odd > 0 { writeln!(out) } else { Ok(()) }
    }
}

/// A time in the units that people would say, to the millisecond.
fn span(seconds: f64) -> impl Display {
    humantime::format_duration(Duration::from_millis((seconds * 1000.0).round() as u64))
}
