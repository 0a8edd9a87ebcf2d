//! What one access of a trace asks of the cache. Knows neither files nor gRPC.

use std::{fmt, str::FromStr, time::Duration};

use bytesize::ByteSize;
use thiserror::Error;
use tiny_cache_client::Ttl;

/// One access, in the trace's order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Access {
    /// The line of the trace it came from, counted from 1.
    pub line: u64,
    /// When, as the time since the trace's first access; none where the trace has no
    /// times. It never falls from one access to the next: one that is earlier in the
    /// trace than another before it has the time of the latest so far. Traces count in
    /// whole seconds, so many accesses share a time. All accesses of one trace have a
    /// time, or none has.
    pub at: Option<Duration>,
    /// Never empty, and short enough for the server: [`crate::trace::Keys`] made it.
    pub key: String,
    /// What is done with the key.
    pub action: Action,
}

/// What an access does with its key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Cache-aside: a Get and, on a miss, a Set of this content.
    Read(Content),
    /// A Set of this content.
    Write(Content),
    /// A Delete.
    Delete,
}

/// What a Set writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Content {
    /// Length of the value.
    pub size: ValueSize,
    /// How long the value lives.
    pub ttl: Ttl,
}

/// The length of a value, at most [`ValueSize::MAX`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ValueSize(u32);

impl ValueSize {
    /// 1 GiB. A protobuf message ends at 2 GiB, and every request in flight holds
    /// its value in memory.
    pub const MAX: Self = Self(1 << 30);

    /// Takes a number of bytes.
    ///
    /// # Errors
    ///
    /// More than [`ValueSize::MAX`].
    pub fn from_bytes(bytes: u64) -> Result<Self, ContentError> {
        match u32::try_from(bytes) {
            Ok(size) if size <= Self::MAX.0 => Ok(Self(size)),
            _ => Err(ContentError::ValueTooLarge(bytes)),
        }
    }

    /// The number of bytes.
    pub fn bytes(self) -> u32 {
        self.0
    }
}

impl FromStr for ValueSize {
    type Err = ContentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let size: ByteSize = text.parse().map_err(|_| ContentError::NotASize)?;
        Self::from_bytes(size.as_u64())
    }
}

impl fmt::Display for ValueSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", ByteSize(u64::from(self.0)))
    }
}

/// Reads a ttl as people type it. A fraction of a second is refused, since the client library
/// would round it up in silence.
///
/// # Errors
///
/// The text is no duration, or not one that the wire has.
pub fn ttl(text: &str) -> Result<Ttl, ContentError> {
    let ttl = humantime::parse_duration(text).map_err(|_| ContentError::NotADuration)?;
    if ttl.subsec_nanos() != 0 {
        return Err(ContentError::TtlNotWhole);
    }
    ttl_of_seconds(i128::from(ttl.as_secs()))
}

/// Takes a ttl in seconds, as traces have it; 0 never expires.
///
/// # Errors
///
/// Negative, or more than the wire has room for.
pub fn ttl_of_seconds(seconds: i128) -> Result<Ttl, ContentError> {
    if seconds < 0 {
        return Err(ContentError::TtlNegative(seconds));
    }
    u64::try_from(seconds)
        .ok()
        .and_then(|seconds| Ttl::try_from(Duration::from_secs(seconds)).ok())
        .ok_or(ContentError::TtlTooLong(seconds))
}

/// Why a value size or a ttl is refused.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum ContentError {
    /// The size that was asked for is beyond [`ValueSize::MAX`].
    #[error("value size {0} exceeds {max} bytes", max = ValueSize::MAX.0)]
    ValueTooLarge(u64),
    /// The text is no size.
    #[error("expected bytes with an optional suffix, such as 512, 1KiB or 2MB")]
    NotASize,
    /// The ttl that was asked for is below zero.
    #[error("ttl {0} is negative; expected 0 (never expires) to {max} seconds", max = i32::MAX)]
    TtlNegative(i128),
    /// The ttl that was asked for does not fit the wire's `int32`.
    #[error("ttl {0} exceeds {max} seconds", max = i32::MAX)]
    TtlTooLong(i128),
    /// The wire has whole seconds only.
    #[error("a ttl has whole seconds")]
    TtlNotWhole,
    /// The text is no duration.
    #[error("expected a duration with a unit, such as 30s, 5m, 1h or 7d; 0 never expires")]
    NotADuration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_binary_and_decimal_suffixes() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("1KiB", 1024),
            ("1 kb", 1000),
            ("2MiB", 2 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(text.parse::<ValueSize>().unwrap().bytes(), bytes, "{text}");
        }
        for text in ["", "-1", "KiB", "1KiBx", "ten"] {
            assert_eq!(text.parse::<ValueSize>(), Err(ContentError::NotASize), "{text}");
        }
    }

    #[test]
    fn a_size_beyond_one_gibibyte_is_refused_with_the_limit() {
        let error = "1073741825".parse::<ValueSize>().unwrap_err();
        assert_eq!(error.to_string(), "value size 1073741825 exceeds 1073741824 bytes");
        assert!("999EiB".parse::<ValueSize>().is_err());
    }

    #[test]
    fn ttls_take_units_and_zero_never_expires() {
        for (text, seconds) in
            [("0", 0), ("0s", 0), ("30s", 30), ("1h", 3600), ("1h 30m", 5400), ("7d", 604_800)]
        {
            assert_eq!(ttl(text).unwrap().seconds(), seconds, "{text}");
        }
        for text in ["", "h", "-1s", "3600"] {
            assert_eq!(ttl(text), Err(ContentError::NotADuration), "{text}");
        }
        assert_eq!(ttl("1500ms"), Err(ContentError::TtlNotWhole));
    }

    #[test]
    fn a_ttl_outside_the_wire_is_refused_with_the_limit() {
        assert_eq!(ttl_of_seconds(i128::from(i32::MAX)).unwrap().seconds(), i32::MAX);
        let long = ttl("2147483648s").unwrap_err();
        assert_eq!(long.to_string(), "ttl 2147483648 exceeds 2147483647 seconds");
        assert!(ttl_of_seconds(i128::MAX).is_err());
        for seconds in [-1, i128::from(i32::MIN) - 1, i128::MIN] {
            assert_eq!(ttl_of_seconds(seconds), Err(ContentError::TtlNegative(seconds)));
        }
    }
}
