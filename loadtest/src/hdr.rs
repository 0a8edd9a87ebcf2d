//! Histograms in the compressed V2 encoding of HdrHistogram, in bytes and in base64, as its own
//! logs have it, so that other programs can read them. Nothing is lost on the way.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer as HdrReader, Serializer as _, V2DeflateSerializer},
};

/// Encodes a histogram: about a byte for each bin that holds something.
#[must_use]
pub fn encode(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("a histogram of nanoseconds fits the encoding, and memory takes every byte");
    bytes
}

/// Decodes a histogram; none where the bytes are no encoding.
#[must_use]
pub fn decode(mut bytes: &[u8]) -> Option<Histogram<u64>> {
    HdrReader::new().deserialize(&mut bytes).ok()
}

/// The base64 of encoded bytes.
#[must_use]
pub fn to_text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The encoded bytes of a base64 text; none where it is none.
#[must_use]
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}
