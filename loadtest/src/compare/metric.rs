//! What is compared, which way is worse, and how changes are judged.

use serde::{Serialize, Serializer};
use strum::Display;

/// Something that reports have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// Answered requests in a second.
    Answered,
    /// The mean latency in microseconds.
    Mean,
    /// The latency in microseconds that this part of the requests did not exceed.
    Quantile(&'static str, f64),
    /// The longest latency in microseconds.
    Max,
    /// Failed requests of all.
    ErrorRatio,
    /// Hits among the keys read.
    HitRatio,
    /// What the origin fetched in a second.
    Fetches,
    /// Requests for each second of the server's CPU time.
    PerCoreSecond,
}

/// How seconds are drawn anew, and how the outcome is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Judging {
    /// Share of intervals that are to contain the true change, 0 to 1.
    pub confidence: f64,
    /// Relative change from which on a metric is worse or better.
    pub threshold: f64,
    /// How often seconds are drawn anew.
    pub resamples: u32,
    /// Where random numbers begin.
    pub seed: u64,
}

/// What to think of a change.
#[derive(Clone, Copy, Debug, Display, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Word {
    /// The whole interval lies beyond the threshold, on the good side.
    Better,
    /// The whole interval lies beyond the threshold, on the bad side.
    Worse,
    /// The whole interval lies within the threshold.
    Same,
    /// None of these.
    Unclear,
}

impl Metric {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Answered,
        Self::Mean,
        Self::Quantile("p50", 0.5),
        Self::Quantile("p90", 0.9),
        Self::Quantile("p99", 0.99),
        Self::Quantile("p99.9", 0.999),
        Self::Max,
        Self::ErrorRatio,
        Self::HitRatio,
        Self::Fetches,
        Self::PerCoreSecond,
    ];

    /// Its name, with its unit if a figure does not show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered/s",
            Self::Mean => "mean",
            Self::Quantile(name, _) => name,
            Self::Max => "max",
            Self::ErrorRatio => "error ratio",
            Self::HitRatio => "hit ratio",
            Self::Fetches => "origin fetches/s",
            Self::PerCoreSecond => "requests/core-s",
        }
    }

    /// Whether more is better.
    pub fn more_is_better(self) -> bool {
        match self {
            Self::Answered | Self::HitRatio | Self::PerCoreSecond => true,
            Self::Mean | Self::Quantile(..) | Self::Max | Self::ErrorRatio | Self::Fetches => false,
        }
    }

    /// What to think of a relative change that lies between these two.
    pub fn judge(self, (low, high): (f64, f64), threshold: f64) -> Word {
        let (up, down) = if self.more_is_better() {
            (Word::Better, Word::Worse)
        } else {
            (Word::Worse, Word::Better)
        };
        if low > threshold {
            up
        } else if high < -threshold {
            down
        } else if low >= -threshold && high <= threshold {
            Word::Same
        } else {
            Word::Unclear
        }
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The change from one figure to another, relative to the first: infinite from zero on.
pub(super) fn change(before: f64, after: f64) -> f64 {
    if before == after {
        0.0
    } else if before == 0.0 {
        f64::INFINITY
    } else {
        after / before - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_interval_decides() {
        let p99 = Metric::Quantile("p99", 0.99);
        for (interval, slower, more) in [
            ((0.06, 0.10), Word::Worse, Word::Better),
            ((-0.10, -0.06), Word::Better, Word::Worse),
            ((-0.05, 0.05), Word::Same, Word::Same),
            ((0.04, 0.10), Word::Unclear, Word::Unclear),
            ((-0.10, 0.10), Word::Unclear, Word::Unclear),
            ((0.06, f64::INFINITY), Word::Worse, Word::Better),
        ] {
            assert_eq!(p99.judge(interval, 0.05), slower, "{interval:?}");
            assert_eq!(Metric::Answered.judge(interval, 0.05), more, "{interval:?}");
        }
    }

    #[test]
    fn a_change_is_relative_and_never_no_number() {
        assert_eq!(change(4.0, 5.0), 0.25);
        assert_eq!(change(4.0, 0.0), -1.0);
        assert_eq!(change(0.0, 0.0), 0.0);
        assert_eq!(change(0.0, 1.0), f64::INFINITY);
    }
}
