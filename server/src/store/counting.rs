//! What is added to a counter, and what comes of it. A counter is an entry whose value is a decimal
//! number of 64 bits, as text.

use std::time::Duration;

use thiserror::Error;

use super::{
    entry::Content, handle::StoreHandle, outcome::Refused, sharded::Located, ttl::Ttl,
    version::Version,
};

/// A step of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addition {
    /// What is added.
    pub delta: i64,
    /// What it is added to if there is no counter.
    pub initial: i64,
    /// The bounds of the sum.
    pub bounds: (i64, i64),
    /// What becomes of a sum beyond them.
    pub beyond: Beyond,
    /// How long the counter lives.
    pub ttl: Ttl,
    /// From when on.
    pub ttl_of: TtlOf,
}

/// What becomes of a sum beyond its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Nothing is added.
    Refuse,
    /// The sum is the bound.
    Saturate,
}

/// From when on a counter lives for its TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlOf {
    /// From its first step on.
    Creation,
    /// From each step on.
    Step,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// The sum is within its bounds.
    Added,
    /// The sum is the bound.
    Saturated,
    /// Nothing was added.
    Refused,
}

/// A counter after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// What the step did.
    pub outcome: AddOutcome,
    /// What the counter is now; the initial value, if a step that was refused found none.
    pub value: i64,
    /// Its version; none if there is no counter.
    pub version: Option<Version>,
    /// What is left of its TTL; none if it never ends, or there is none.
    pub ttl_left: Option<Duration>,
}

/// The value is no counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("The value is no counter: it is not a decimal number of 64 bits")]
pub struct NoCounter;

/// Why nothing was added.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAdded {
    /// There is another value.
    #[error(transparent)]
    NoCounter(#[from] NoCounter),
    /// The store takes no entry.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// What a counter is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    /// What it was.
    Kept(i64),
    Written(i64),
}

impl Sum {
    pub(super) fn number(self) -> i64 {
        match self {
            Self::Kept(number) | Self::Written(number) => number,
        }
    }

    pub(super) fn written(self) -> Option<i64> {
        match self {
            Self::Kept(_) => None,
            Self::Written(number) => Some(number),
        }
    }
}

impl Addition {
    /// The sum of a counter, or of none.
    pub(super) fn of(self, before: Option<i64>) -> (AddOutcome, Sum) {
        let base = before.unwrap_or(self.initial);
        let (least, most) = self.bounds;
        let sum = i128::from(base) + i128::from(self.delta);
        let bounded = sum.clamp(least.into(), most.into());
        if sum == bounded {
            return (AddOutcome::Added, Sum::Written(bounded as i64));
        }
        match self.beyond {
            Beyond::Refuse => (AddOutcome::Refused, Sum::Kept(base)),
            Beyond::Saturate => (AddOutcome::Saturated, Sum::Written(bounded as i64)),
        }
    }
}

impl StoreHandle {
    /// Adds to a counter. Counts neither as a hit nor as a miss.
    ///
    /// # Errors
    /// [`NotAdded`] when another value is there, or the quota of the namespace takes no entry.
    pub fn add_at(&self, place: Located<'_>, addition: Addition) -> Result<Added, NotAdded> {
        let Located { shard, key } = place;
        self.note_request(key, 0);
        let longest = text(i64::MIN);
        self.admissible(key, Content::plain(&longest, addition.ttl))?;
        let (added, written) = shard.add(key, addition)?;
        if let Some(written) = written {
            self.sample_step(place);
            self.conclude(shard, written, &text(added.value));
        }
        Ok(added)
    }
}

/// A counter's value.
pub(super) fn text(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// The number that a value is. Text that a number is not written as is none: `+1`, ` 1`, `01`.
pub(super) fn number(value: &[u8]) -> Option<i64> {
    let number = str::from_utf8(value).ok()?.parse().ok()?;
    (text(number) == value).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addition(delta: i64, beyond: Beyond) -> Addition {
        let (ttl, ttl_of) = (Ttl::Forever, TtlOf::Creation);
        Addition { delta, initial: 0, bounds: (-5, 5), beyond, ttl, ttl_of }
    }

    #[test]
    fn a_sum_beyond_its_bounds_is_refused_or_cut() {
        for (before, delta, refuse, saturate) in [
            (None, 5, (AddOutcome::Added, 5), (AddOutcome::Added, 5)),
            (None, 6, (AddOutcome::Refused, 0), (AddOutcome::Saturated, 5)),
            (Some(4), 2, (AddOutcome::Refused, 4), (AddOutcome::Saturated, 5)),
            (Some(-4), -2, (AddOutcome::Refused, -4), (AddOutcome::Saturated, -5)),
            (Some(4), i64::MAX, (AddOutcome::Refused, 4), (AddOutcome::Saturated, 5)),
            (Some(-4), i64::MIN, (AddOutcome::Refused, -4), (AddOutcome::Saturated, -5)),
            // A counter from before the bounds comes back within them.
            (Some(9), -4, (AddOutcome::Added, 5), (AddOutcome::Added, 5)),
            (Some(9), 0, (AddOutcome::Refused, 9), (AddOutcome::Saturated, 5)),
        ] {
            for (beyond, expected) in [(Beyond::Refuse, refuse), (Beyond::Saturate, saturate)] {
                let (outcome, sum) = addition(delta, beyond).of(before);
                assert_eq!((outcome, sum.number()), expected, "{before:?} {delta} {beyond:?}");
                assert_eq!(sum.written().is_none(), outcome == AddOutcome::Refused);
            }
        }
    }

    #[test]
    fn a_counter_is_a_number_as_it_is_written() {
        for good in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(number(good.as_bytes()).unwrap().to_string(), good);
        }
        for bad in ["", "+1", " 1", "01", "-0", "1.0", "1e3", "9223372036854775808", "\u{661}", "x"]
        {
            assert_eq!(number(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
