//! Latencies as they are reported: microseconds at four places of the distribution.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::replay::Tally;

/// Latencies by call; none for a call that was never answered.
#[derive(Clone, Debug, Serialize)]
pub struct Latencies {
    /// Gets.
    pub get: Option<Latency>,
    /// Sets.
    pub set: Option<Latency>,
    /// Deletes.
    pub delete: Option<Latency>,
    /// All calls together.
    pub all: Option<Latency>,
}

/// Microseconds, kept to three significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the calls took no longer.
    pub p50: f64,
    /// 99 % of the calls took no longer.
    pub p99: f64,
    /// 99.9 % of the calls took no longer.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// The longest.
    pub max: f64,
}

impl Latencies {
    /// Reads the latencies off a tally.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        let mut all = tally.get.latency.clone();
        all += &tally.set.latency;
        all += &tally.delete.latency;
        Self {
            get: Latency::of(&tally.get.latency),
            set: Latency::of(&tally.set.latency),
            delete: Latency::of(&tally.delete.latency),
            all: Latency::of(&all),
        }
    }
}

impl Latency {
    /// Reads a histogram of nanoseconds.
    #[must_use]
    pub fn of(nanoseconds: &Histogram<u64>) -> Option<Self> {
        let micros = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1e6;
        let at = |quantile| micros(nanoseconds.value_at_quantile(quantile));
        (!nanoseconds.is_empty()).then(|| Self {
            p50: at(0.5),
            p99: at(0.99),
            p99_9: at(0.999),
            max: micros(nanoseconds.max()),
        })
    }
}
