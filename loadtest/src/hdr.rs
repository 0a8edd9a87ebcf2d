//! Histograms of latencies: how they are made, and their lossless form in HdrHistogram's
//! compressed V2 encoding, as bytes and as base64, which other programs read.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer as HdrReader, Serializer as _, V2DeflateSerializer},
};

/// Longest time that is recorded as it is; a longer one counts as an hour.
const LONGEST: Duration = Duration::from_secs(3600);

/// An empty histogram of nanoseconds to three significant digits, up to an hour.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(nanos(LONGEST), 3)
        .expect("an hour of nanoseconds and 3 significant digits are within bounds")
}

/// An empty histogram that allocates only what its values need, for the one of each second.
pub fn growing() -> Histogram<u64> {
    Histogram::new(3).expect("3 significant digits are within bounds")
}

/// Records a time in a histogram of [`growing`].
pub(crate) fn record_growing(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.record(nanos(time.min(LONGEST))).expect("it grows up to the longest time");
}

/// A time in nanoseconds, at most [`u64::MAX`] of them.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Encodes a histogram: about a byte for each bin that holds something.
pub fn encode(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("a histogram of nanoseconds fits the encoding, and memory takes every byte");
    bytes
}

/// Decodes a histogram; none if the bytes are no encoding of one.
pub fn decode(mut bytes: &[u8]) -> Option<Histogram<u64>> {
    HdrReader::new().deserialize(&mut bytes).ok()
}

/// The base64 of encoded bytes.
pub fn to_text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The encoded bytes of a base64 text; none if it is not base64.
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}
