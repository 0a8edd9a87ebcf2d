//! What the runs of one side add up to, and the same of seconds drawn anew. Where a histogram
//! covers several seconds, these are drawn together.

use hdrhistogram::Histogram;

use super::{bins::Bins, bootstrap::Runs, metric::Metric};
use crate::{
    hdr::growing,
    report::{Figures, Histogram as ReportHistogram, SecondReport, ratio, spans},
};

/// Answered requests beyond a quantile below which it has no interval.
const BEYOND: f64 = 10.0;

/// Which times are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LatencyKind {
    Response,
    Service,
}

/// One run at one rate, or as a whole.
#[derive(Clone, Copy)]
pub(super) struct RunFigures<'a> {
    pub(super) figures: &'a Figures,
    pub(super) seconds: &'a [SecondReport],
    /// Only of whole runs.
    pub(super) per_core_second: Option<f64>,
}

/// What can be added up of a run or of its seconds.
#[derive(Clone, Copy, Default)]
struct Counts {
    seconds: f64,
    answered: f64,
    /// Sum of the latencies in nanoseconds.
    times: f64,
    made: f64,
    failed: f64,
    hits: f64,
    misses: f64,
}

/// The runs of one side.
pub(super) struct Sample {
    whole: Counts,
    /// Every run's times.
    histogram: Histogram<u64>,
    /// None without an origin.
    fetches: Option<f64>,
    per_core_second: Option<f64>,
    seconds: usize,
    /// What is drawn.
    spans: Vec<Counts>,
    pub(super) runs: Runs,
    /// None if the seconds have other times than those that are compared.
    bins: Option<Bins>,
}

impl RunFigures<'_> {
    pub(super) fn has_response_times(&self) -> bool {
        self.figures.response_histogram.is_some()
    }

    fn histogram(&self, times: LatencyKind) -> Histogram<u64> {
        match (times, &self.figures.response_histogram) {
            (LatencyKind::Response, Some(response)) => response.decode(),
            _ => self.figures.service_histogram.decode(),
        }
    }

    fn counts(&self, histogram: &Histogram<u64>) -> Counts {
        let figures = self.figures;
        Counts {
            seconds: figures.duration_seconds,
            answered: figures.service_histogram.decode().len() as f64,
            times: sum(histogram),
            made: figures.operations.values().map(|kind| kind.requests).sum::<u64>() as f64,
            failed: figures.failed as f64,
            hits: figures.hits as f64,
            misses: figures.misses as f64,
        }
    }

    /// A run's spans of seconds. The last second is as long as what is left of the run; with
    /// several rates its length is unknown, and it counts as whole.
    fn spans(&self) -> impl Iterator<Item = (Counts, Histogram<u64>)> {
        let last = self.seconds.last().map(|last| (last.step, last.second));
        let is_one_step =
            self.seconds.first().map(|first| first.step) == last.map(|(step, _)| step);
        spans(self.seconds).map(move |span| {
            let times = span.first().and_then(|first| first.histogram.as_ref());
            let times = times.map_or_else(growing, ReportHistogram::decode);
            let mut counts = Counts { times: sum(&times), ..Counts::default() };
            for second in span {
                let is_last = is_one_step && Some((second.step, second.second)) == last;
                let left = self.figures.duration_seconds - second.second as f64;
                counts.seconds += if is_last { left.max(0.0) } else { 1.0 };
                counts.answered += second.requests.saturating_sub(second.failed) as f64;
                counts.made += second.requests as f64;
                counts.failed += second.failed as f64;
                counts.hits += second.hits as f64;
                counts.misses += second.misses as f64;
            }
            (counts, times)
        })
    }
}

impl Sample {
    /// Adds the runs of a side up. Runs beyond the first are at the same rate.
    pub(super) fn of(runs: &[RunFigures<'_>], times: LatencyKind) -> Self {
        let mut whole = Counts::default();
        let mut histogram = Histogram::new(3).expect("3 significant digits are within bounds");
        for run in runs {
            let own = run.histogram(times);
            whole.add(&run.counts(&own), 1.0);
            histogram.add(&own).expect("it grows up to what is added");
        }
        let fetches = runs.iter().filter_map(|run| run.figures.origin.as_ref());
        let per_core: Vec<f64> = runs.iter().filter_map(|run| run.per_core_second).collect();
        let other_times =
            times == LatencyKind::Service && runs.iter().any(RunFigures::has_response_times);
        let drawn: Vec<Vec<(Counts, Histogram<u64>)>> =
            runs.iter().map(|run| run.spans().collect()).collect();
        let histograms: Vec<_> = drawn.iter().flatten().map(|(_, times)| times).collect();
        Self {
            whole,
            histogram,
            fetches: fetches.map(|origin| origin.fetches as f64).reduce(|sum, more| sum + more),
            per_core_second: (!per_core.is_empty())
                .then(|| per_core.iter().sum::<f64>() / per_core.len() as f64),
            seconds: runs.iter().map(|run| run.seconds.len()).sum(),
            bins: (!other_times).then(|| Bins::of(&histograms)),
            runs: Runs::new(drawn.iter().map(Vec::len)),
            spans: drawn.iter().flatten().map(|(counts, _)| *counts).collect(),
        }
    }

    /// How many seconds there are to draw from.
    pub(super) fn seconds(&self) -> usize {
        self.seconds
    }

    /// How many things there are to draw: seconds, or spans of some.
    pub(super) fn spans(&self) -> usize {
        self.spans.len()
    }

    /// A metric as the reports have it, if they do.
    pub(super) fn figure(&self, metric: Metric) -> Option<f64> {
        let quantile = |quantile| {
            (!self.histogram.is_empty()).then(|| self.histogram.value_at_quantile(quantile))
        };
        match metric {
            Metric::Fetches => Some(self.fetches? / self.whole.time()?),
            Metric::PerCoreSecond => self.per_core_second,
            Metric::Max => (!self.histogram.is_empty()).then(|| self.histogram.max() as f64 / 1e3),
            _ => self.whole.figure(metric, quantile),
        }
    }

    /// The same metric of weighted seconds. Seconds do not count all that a report counts: fills
    /// are not in them.
    pub(super) fn drawn(&self, metric: Metric, weights: &[u32], sum: &Drawn) -> Option<f64> {
        sum.0.figure(metric, |quantile| self.bins.as_ref()?.quantile(weights, quantile))
    }

    /// Adds weighted seconds up.
    pub(super) fn draw(&self, weights: &[u32]) -> Drawn {
        let mut sum = Counts::default();
        for (second, weight) in self.spans.iter().zip(weights).filter(|(_, weight)| **weight > 0) {
            sum.add(second, f64::from(*weight));
        }
        Drawn(sum)
    }

    /// The factor from a metric of the seconds to that of the report.
    ///
    /// # Errors
    ///
    /// The seconds do not have the metric; the text says why.
    pub(super) fn scale(&self, metric: Metric) -> Result<f64, &'static str> {
        let weights = vec![1; self.spans.len()];
        let all = self.draw(&weights);
        match metric {
            Metric::Max => return Err("seconds drawn anew tell nothing of the longest"),
            Metric::PerCoreSecond => return Err("one figure for a whole run"),
            Metric::Mean | Metric::Quantile(..) if self.bins.is_none() => {
                return Err("the seconds of an open loop have response times only");
            }
            Metric::Quantile(_, quantile) if (1.0 - quantile) * self.whole.answered < BEYOND => {
                return Err("too few requests beyond it");
            }
            Metric::ErrorRatio if all.0.failed != self.whole.failed => {
                return Err("fills failed, which are not in the seconds");
            }
            _ => {}
        }
        let figure = self.figure(metric).unwrap_or_default();
        let of_seconds = self.drawn(metric, &weights, &all).unwrap_or_default();
        Ok(if of_seconds > 0.0 { figure / of_seconds } else { 1.0 })
    }
}

/// What seconds add up to that were drawn anew.
pub(super) struct Drawn(Counts);

impl Counts {
    fn add(&mut self, other: &Self, weight: f64) {
        self.seconds += other.seconds * weight;
        self.answered += other.answered * weight;
        self.times += other.times * weight;
        self.made += other.made * weight;
        self.failed += other.failed * weight;
        self.hits += other.hits * weight;
        self.misses += other.misses * weight;
    }

    fn time(&self) -> Option<f64> {
        (self.seconds > 0.0).then_some(self.seconds)
    }

    /// A metric, if it follows from these counts.
    fn figure(&self, metric: Metric, quantile: impl Fn(f64) -> Option<u64>) -> Option<f64> {
        let of = |part: f64, whole: f64| ratio(part as u64, whole as u64);
        match metric {
            Metric::Answered => Some(self.answered / self.time()?),
            Metric::Mean => (self.answered > 0.0).then(|| self.times / self.answered / 1e3),
            Metric::Quantile(_, at) => quantile(at).map(|nanos| nanos as f64 / 1e3),
            Metric::ErrorRatio => of(self.failed, self.made),
            Metric::HitRatio => of(self.hits, self.hits + self.misses),
            // Each miss of a cache-aside read is one.
            Metric::Fetches => Some(self.misses / self.time()?),
            Metric::Max | Metric::PerCoreSecond => None,
        }
    }
}

/// The sum of all values, to the histogram's precision.
fn sum(histogram: &Histogram<u64>) -> f64 {
    if histogram.is_empty() { 0.0 } else { histogram.mean() * histogram.len() as f64 }
}
