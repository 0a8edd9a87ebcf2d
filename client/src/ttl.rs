//! The time to live of an entry, in whole seconds as the wire has it.

use std::{fmt, time::Duration};

use crate::error::Error;

/// A time to live in whole seconds; zero never expires.
///
/// A [`Duration`] is rounded up to the next second: an entry lives at least as long as it should,
/// and half a second does not become zero, which never expires.
///
/// ```
/// use std::time::Duration;
/// use tiny_cache_client::Ttl;
///
/// assert_eq!(Ttl::try_from(Duration::from_millis(1_200))?.seconds(), 2);
/// assert_eq!(Ttl::NEVER.seconds(), 0);
/// # Ok::<_, tiny_cache_client::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ttl(i32);

impl Ttl {
    /// The entry does not expire.
    pub const NEVER: Self = Self(0);

    /// The TTL of a write that sets none: an hour.
    pub const DEFAULT: Self = Self(3600);

    /// The number of seconds, 0 for never.
    #[must_use]
    pub fn seconds(self) -> i32 {
        self.0
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.0.unsigned_abs().into())
    }
}

impl TryFrom<Duration> for Ttl {
    type Error = Error;

    /// # Errors
    ///
    /// More than 2,147,483,647 seconds, some 68 years: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    fn try_from(duration: Duration) -> Result<Self, Error> {
        let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
        i32::try_from(seconds).map(Self).map_err(|_| {
            Error::validation(format!(
                "ttl of {seconds} seconds exceeds {} seconds, about 68 years; zero never expires",
                i32::MAX
            ))
        })
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => out.write_str("none"),
            seconds => write!(out, "{seconds} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_counts_as_one() {
        for (duration, seconds) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(60), 60),
            (Duration::new(60, 1), 61),
            (Duration::from_secs(2_147_483_647), i32::MAX),
        ] {
            assert_eq!(Ttl::try_from(duration).unwrap().seconds(), seconds);
        }
    }

    #[test]
    fn a_ttl_beyond_the_wire_is_refused_with_the_limit() {
        let error = Ttl::try_from(Duration::from_secs(2_147_483_648)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ttl of 2147483648 seconds exceeds 2147483647 seconds, about 68 years; zero never \
             expires"
        );
        assert!(Ttl::try_from(Duration::MAX).is_err());
    }
}
