//! Latencies as they are reported: microseconds at some places of the distribution, and the
//! whole of it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

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

/// A place of the distribution: its name, and where a summary has it.
pub type Percentile = (&'static str, fn(&Latency) -> f64);

/// The places that are shown where there is not room for all.
pub const PERCENTILES: [Percentile; 5] = [
    ("p50", |latency| latency.p50),
    ("p90", |latency| latency.p90),
    ("p99", |latency| latency.p99),
    ("p99.9", |latency| latency.p99_9),
    ("max", |latency| latency.max),
];

impl Latency {
    /// Reads a histogram of nanoseconds; none of an empty one.
    pub fn of(nanoseconds: &hdrhistogram::Histogram<u64>) -> Option<Self> {
        // One division keeps the digits short: 1.234, not 1.2339999999999998.
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let at = |quantile| micros(nanoseconds.value_at_quantile(quantile));
        (!nanoseconds.is_empty()).then(|| Self {
            mean: nanoseconds.mean().round() / 1e3,
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
// Held encoded: a few kilobytes, where a histogram that counts takes some hundred.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq)]
#[schemars(transparent)]
// The pattern is the encoding's first 32 bits, its cookie, and what base64 consists of.
#[schemars(extend("contentEncoding" = "base64", "pattern" = "^HISTFA[A-Za-z0-9+/]+={0,2}$"))]
pub struct Histogram(#[schemars(with = "String")] Box<[u8]>);

impl Histogram {
    /// Encodes a histogram.
    pub fn of(nanoseconds: &hdrhistogram::Histogram<u64>) -> Self {
        Self(hdr::encode(nanoseconds).into())
    }

    /// The histogram itself.
    pub fn decode(&self) -> hdrhistogram::Histogram<u64> {
        hdr::decode(&self.0).expect("it was encoded here, or checked when it was read")
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hdr::to_text(&self.0))
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hdr::from_text(&text).filter(|bytes| hdr::decode(bytes).is_some());
        let none = || D::Error::custom("not a histogram in HdrHistogram's V2 encoding");
        bytes.map(|bytes| Self(bytes.into())).ok_or_else(none)
    }
}
