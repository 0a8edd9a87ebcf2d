//! Histograms in JSON: HdrHistogram's compressed V2 encoding in base64, as its own logs have
//! it, so that other programs can read them. Nothing is lost on the way.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer as HdrReader, Serializer as _, V2DeflateSerializer},
};
use serde::{Deserialize, Deserializer, Serializer, de::Error as _, ser::Error as _};

/// Writes a histogram.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<S: Serializer>(
    histogram: &Histogram<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(S::Error::custom)?;
    serializer.serialize_str(&BASE64.encode(bytes))
}

/// Reads a histogram.
///
/// # Errors
///
/// What stands there is none.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Histogram<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = BASE64.decode(text).map_err(D::Error::custom)?;
    HdrReader::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|_| D::Error::custom("not a histogram in HdrHistogram's V2 encoding"))
}
