//! The seconds of a run as columns of charts: those of all steps, one after the other. A long
//! run has several seconds in a column, of which it shows the worst latencies.

use std::{collections::BTreeMap, fmt::Write as _};

use super::units;
use crate::{
    engine::Rate,
    report::{Latency, Report, SecondReport, ratio, spans},
};

/// Most columns: about one for each dot of a telephone's screen.
const MOST_COLUMNS: usize = 600;

/// Rows of a power of ten.
const ROWS_PER_DECADE: f64 = 10.0;

/// Least part of a second that has a rate.
const LEAST_PART: f64 = 0.5;

/// All that was measured, by time.
pub(super) struct Timeline {
    pub(super) columns: Vec<Column>,
    /// Where steps begin, with their asked rates.
    pub(super) steps: Vec<Begin>,
    /// Length of the whole.
    pub(super) seconds: usize,
    per_column: usize,
    /// Seconds in the longest column.
    longest: usize,
}

/// Where a step begins.
pub(super) struct Begin {
    pub(super) at: f64,
    pub(super) end: f64,
    /// Requests in a second; none in a closed loop or after a trace.
    pub(super) asked: Option<Rate>,
}

/// Some seconds of one step.
pub(super) struct Column {
    pub(super) at: f64,
    pub(super) end: f64,
    pub(super) step: usize,
    /// Answered and failed requests in a second; none of too short a time.
    pub(super) rates: Option<(f64, f64)>,
    pub(super) hit_ratio: Option<f64>,
    /// The worst of its seconds.
    pub(super) worst: Option<Latency>,
    /// Requests by latency.
    pub(super) rows: BTreeMap<i32, u64>,
}

impl Timeline {
    pub(super) fn of(report: &Report) -> Self {
        let per_column = report.seconds.len().div_ceil(MOST_COLUMNS).max(1);
        let mut timeline =
            Self { columns: Vec::new(), steps: Vec::new(), seconds: 0, per_column, longest: 0 };
        for seconds in report.seconds.chunk_by(|one, other| one.step == other.step) {
            timeline.step(report, seconds);
        }
        timeline
    }

    /// Adds the seconds of a step, of which there is at least one.
    fn step(&mut self, report: &Report, seconds: &[SecondReport]) {
        let step = seconds.first().and_then(|second| report.steps.get(second.step));
        let (asked, measured) = match step {
            Some(step) => (step.requests_per_second, step.figures.duration_seconds),
            None => (report.settings.requests_per_second, report.figures.duration_seconds),
        };
        let begin = self.seconds as f64;
        // A histogram of several seconds is drawn in one column.
        let (mut first, mut end) = (0, 0);
        for span in spans(seconds) {
            end += span.len();
            if end - first >= self.per_column || end == seconds.len() {
                let some = &seconds[first..end];
                self.columns.push(Column::of(some, self.seconds as f64, measured));
                self.longest = self.longest.max(some.len());
                self.seconds += some.len();
                first = end;
            }
        }
        self.steps.push(Begin { at: begin, end: self.seconds as f64, asked });
    }

    /// What a reader of the charts should know.
    pub(super) fn note(&self) -> String {
        let mut note = String::from(
            "Measured time alone, without warm-ups. Less than half a second at the end of a step \
             has no rate.",
        );
        if self.steps.len() > 1 {
            note.push_str(" The steps follow each other; a vertical line stands between them.");
        }
        if self.longest > 1 {
            let _ = write!(
                note,
                " {} seconds were drawn in {} columns of up to {}: a rate is their mean, a latency \
                 that of the worst of them.",
                units::count(self.seconds as u64),
                units::count(self.columns.len() as u64),
                self.longest
            );
        }
        note
    }
}

impl Column {
    fn of(seconds: &[SecondReport], at: f64, measured: f64) -> Self {
        let sum =
            |of: fn(&SecondReport) -> u64| seconds.iter().map(of).fold(0, u64::saturating_add);
        let (failed, hits, misses) =
            (sum(|second| second.failed), sum(|second| second.hits), sum(|second| second.misses));
        let answered = sum(|second| second.requests).saturating_sub(failed);
        let time: f64 =
            seconds.iter().map(|second| (measured - second.second as f64).clamp(0.0, 1.0)).sum();
        let mut rows = BTreeMap::new();
        for second in seconds {
            let Some(histogram) = &second.histogram else { continue };
            for value in histogram.decode().iter_recorded() {
                *rows.entry(row(value.value_iterated_to())).or_default() += value.count_at_value();
            }
        }
        Self {
            at,
            end: at + seconds.len() as f64,
            step: seconds.first().map_or(0, |second| second.step),
            rates: (time >= LEAST_PART).then(|| (answered as f64 / time, failed as f64 / time)),
            hit_ratio: ratio(hits, hits.saturating_add(misses)),
            worst: seconds.iter().filter_map(|second| second.latency_us).reduce(worse),
            rows,
        }
    }

    /// When it was, for a pointer.
    pub(super) fn when(&self) -> String {
        match (units::clock(self.at), units::clock(self.end)) {
            (at, _) if self.end - self.at <= 1.0 => at,
            (at, end) => format!("{at} to {end}"),
        }
    }
}

/// The row of a latency.
fn row(nanos: u64) -> i32 {
    ((nanos.max(1) as f64).log10() * ROWS_PER_DECADE).floor() as i32
}

/// The lower end of a row, in nanoseconds; the upper one is that of the next.
pub(super) fn row_begin(row: i32) -> f64 {
    10_f64.powf(f64::from(row) / ROWS_PER_DECADE)
}

fn worse(one: Latency, other: Latency) -> Latency {
    Latency {
        mean: one.mean.max(other.mean),
        p50: one.p50.max(other.p50),
        p90: one.p90.max(other.p90),
        p99: one.p99.max(other.p99),
        p99_9: one.p99_9.max(other.p99_9),
        p99_99: one.p99_99.max(other.p99_99),
        max: one.max.max(other.max),
    }
}
