//! Latencies as they are reported: microseconds at some places of the distribution, and the
//! whole of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hdr;

/// Microseconds, kept to three significant digits.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Latency {
    /// The mean.
    pub mean: f64,
    /// Half of the calls took no longer.
    pub p50: f64,
    /// 90 % of the calls took no longer.
    pub p90: f64,
    /// 99 % of the calls took no longer.
    pub p99: f64,
    /// 99.9 % of the calls took no longer.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// 99.99 % of the calls took no longer.
    #[serde(rename = "p99.99")]
    pub p99_99: f64,
    /// The longest.
    pub max: f64,
}

impl Latency {
    /// Reads a histogram of nanoseconds; none of an empty one.
    #[must_use]
    pub fn of(nanoseconds: &hdrhistogram::Histogram<u64>) -> Option<Self> {
        let micros = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1e6;
        let at = |quantile| micros(nanoseconds.value_at_quantile(quantile));
        (!nanoseconds.is_empty()).then(|| Self {
            mean: nanoseconds.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: micros(nanoseconds.max()),
        })
    }
}

/// Every latency, in nanoseconds to three significant digits: HdrHistogram's compressed V2
/// encoding in base64.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(transparent)]
// The pattern is the encoding's first 32 bits, its cookie, and what base64 consists of.
#[schemars(extend("contentEncoding" = "base64", "pattern" = "^HISTFA[A-Za-z0-9+/]+={0,2}$"))]
pub struct Histogram(
    #[serde(with = "hdr")]
    #[schemars(with = "String")]
    pub hdrhistogram::Histogram<u64>,
);
