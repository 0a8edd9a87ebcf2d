//! How long an entry lives from its write on, in four bytes.

use std::time::Duration;

use super::{
    clock::{Deadline, Moment},
    ttl::Ttl,
    version::Stamp,
};

/// A time to live: whole milliseconds up to 24 days, whole seconds above that, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime(u32);

/// Says that the rest are seconds, and no milliseconds.
const SECONDS: u32 = 1 << 31;

impl Lifetime {
    pub(super) const FOREVER: Self = Self(u32::MAX);

    /// The longest that ends: 68 years.
    const LONGEST: Self = Self(u32::MAX - 1);

    /// That of a write.
    pub(super) fn of(ttl: Ttl) -> Self {
        match ttl {
            Ttl::Forever => Self::FOREVER,
            Ttl::For(span) => Self::at_least(span),
        }
    }

    /// That of an entry which was written then, and lives for `ttl` from now on.
    pub(super) fn from_now(ttl: Ttl, written: Stamp, now: Moment) -> Self {
        match ttl {
            Ttl::Forever => Self::FOREVER,
            Ttl::For(span) => Self::at_least(now.since(written.moment()).saturating_add(span)),
        }
    }

    fn at_least(span: Duration) -> Self {
        let milliseconds = span.as_nanos().div_ceil(1_000_000);
        match u32::try_from(milliseconds) {
            Ok(milliseconds @ ..SECONDS) => Self(milliseconds),
            _ => match u32::try_from(milliseconds.div_ceil(1000)) {
                Ok(seconds) if seconds < Self::LONGEST.0 - SECONDS => Self(SECONDS | seconds),
                _ => Self::LONGEST,
            },
        }
    }

    pub(super) fn bits(self) -> u32 {
        self.0
    }

    pub(super) fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// When it ends, for an entry that was written then.
    pub(super) fn end(self, written: Stamp) -> Deadline {
        let ttl = if self == Self::FOREVER { Ttl::Forever } else { Ttl::For(self.span()) };
        Deadline::after(written.moment(), ttl)
    }

    /// How long it is, if it ends.
    pub(super) fn span(self) -> Duration {
        match self.0 & SECONDS {
            0 => Duration::from_millis(self.0.into()),
            _ => Duration::from_secs((self.0 - SECONDS).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: u64 = 86_400;

    #[test]
    fn a_short_time_is_kept_to_the_millisecond_and_a_long_one_to_the_second() {
        let start = Stamp::of_bits(0);
        for (span, kept) in [
            (Duration::ZERO, Duration::ZERO),
            (Duration::from_nanos(1), Duration::from_millis(1)),
            (Duration::from_millis(1500), Duration::from_millis(1500)),
            (Duration::from_secs(24 * DAY), Duration::from_secs(24 * DAY)),
            (Duration::from_millis(1 << 31), Duration::from_secs(2_147_484)),
            (Duration::from_secs(60 * 365 * DAY), Duration::from_secs(60 * 365 * DAY)),
            (Duration::MAX, Duration::from_secs(0x7fff_fffe)),
        ] {
            let lifetime = Lifetime::of(Ttl::For(span));
            let expected = Deadline::after(start.moment(), Ttl::For(kept));
            assert_eq!(lifetime.end(start), expected, "{span:?}");
        }
        assert_eq!(Lifetime::of(Ttl::Forever).end(start), Deadline::NEVER);
    }

    proptest! {
        #[test]
        fn no_entry_goes_early(milliseconds in 0u64..(1 << 41)) {
            let start = Stamp::of_bits(0);
            let ttl = Ttl::For(Duration::from_millis(milliseconds));
            let (asked, kept) = (Deadline::after(start.moment(), ttl), Lifetime::of(ttl));
            prop_assert!(kept.end(start) >= asked || milliseconds > 0x7fff_fffe * 1000);
        }
    }
}
