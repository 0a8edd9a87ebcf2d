//! Requests in a second, to the millionth: below one as well. Exact, so that instants do not
//! drift.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Highest rate in whole requests: beyond a nanosecond between two there is no clock.
pub const HIGHEST_RATE: u64 = 1_000_000_000;

/// The resolution: parts of a request.
const PARTS: u64 = 1_000_000;

/// Requests in a second.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rate(u64);

impl Rate {
    /// When the request of a number is due, counted from 0. The time of the first is zero.
    pub fn instant(self, number: u64) -> Duration {
        let nanos = u128::from(number) * u128::from(PARTS) * 1_000_000_000 / u128::from(self.0);
        // 584 years.
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The same as a number.
    pub fn per_second(self) -> f64 {
        self.0 as f64 / PARTS as f64
    }

    /// A whole number of requests, if it is one.
    pub fn whole(self) -> Option<u64> {
        self.0.is_multiple_of(PARTS).then_some(self.0 / PARTS)
    }
}

impl From<u64> for Rate {
    fn from(requests: u64) -> Self {
        Self(requests.saturating_mul(PARTS))
    }
}

/// A text that is no rate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidRate;

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (whole, parts) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || parts.is_empty() || parts.len() > 6 {
            return Err(InvalidRate);
        }
        if !are_digits(whole) || !are_digits(parts) {
            return Err(InvalidRate);
        }
        let whole: u64 = whole.parse().map_err(|_| InvalidRate)?;
        let parts: u64 = format!("{parts:0<6}").parse().map_err(|_| InvalidRate)?;
        let all = whole.checked_mul(PARTS).and_then(|all| all.checked_add(parts));
        all.filter(|all| (1..=HIGHEST_RATE * PARTS).contains(all)).map(Self).ok_or(InvalidRate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Some(whole) => whole.fmt(out),
            None => self.per_second().fmt(out),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => serializer.serialize_u64(whole),
            None => serializer.serialize_f64(self.per_second()),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        let parts = (number * PARTS as f64).round();
        let is_rate = parts >= 1.0 && parts <= (HIGHEST_RATE * PARTS) as f64;
        is_rate.then_some(Self(parts as u64)).ok_or_else(|| D::Error::custom("not a rate"))
    }
}

impl JsonSchema for Rate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written_to_the_millionth() {
        for (text, shown) in [
            ("1000", "1000"),
            ("0.5", "0.5"),
            ("2.50", "2.5"),
            ("0.000001", "0.000001"),
            ("1000000000", "1000000000"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), shown);
            let json = serde_json::to_string(&rate).unwrap();
            assert_eq!(serde_json::from_str::<Rate>(&json).unwrap(), rate, "{json}");
        }
        assert_eq!(serde_json::to_string(&Rate::from(2000)).unwrap(), "2000");
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "0",
            "0.0",
            "-1",
            "+1",
            ".5",
            "1.",
            "0.0000001",
            "1e3",
            "1000000000.1",
            "NaN",
            "1/s",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
    }

    #[test]
    fn instants_do_not_drift() {
        let third: Rate = "0.3".parse().unwrap();
        assert_eq!(third.instant(3), Duration::from_secs(10));
        assert_eq!(third.instant(3_000_000), Duration::from_secs(10_000_000));
        assert_eq!(Rate::from(8000).instant(9), Duration::from_micros(125) * 9);
    }
}
