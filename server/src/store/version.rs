//! Versions: the moment of each write, by which two writes of a key are told apart.
//!
//! An entry needs no room of its own for one. It keeps when it was written, where it kept its
//! deadline before, and beside that how long it lives; so its age is known, too. Two writes of one
//! stripe never have the same stamp, so no key has a version twice.

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::{SystemTime, UNIX_EPOCH},
};

use ahash::RandomState;

use super::clock::Moment;

/// Nanoseconds of a stamp's unit, as a power of two: 128. A stripe that takes more than 7 million
/// writes a second runs ahead of the clock, and writes to one stripe take longer than that.
const UNIT: u32 = 7;

/// When an entry was written, since the store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(u64);

/// Names one write of a key: no other write of the key has it. Later writes have higher ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(NonZeroU64);

/// Turns stamps into versions, and names the process whose they are. It begins with the time on the
/// wall, so that the versions of the next process are above those of this one, unless that clock is
/// set back in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Versions {
    first: u64,
    process: NonZeroU32,
}

impl Stamp {
    /// Bits that a stamp needs: 73 years of its units.
    pub(super) const BITS: u32 = 54;

    /// The stamp of a write at this moment, after another one.
    pub(super) fn after(before: Self, now: Moment) -> Self {
        Self::at(now).max(before.next())
    }

    /// The one of this moment.
    pub(super) fn at(now: Moment) -> Self {
        Self(now.nanoseconds() >> UNIT)
    }

    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) fn moment(self) -> Moment {
        Moment::at(self.0 << UNIT)
    }
}

impl Version {
    /// The version as numbers on the wire have it.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

#[cfg(test)]
impl Version {
    pub(crate) fn of(number: NonZeroU64) -> Self {
        Self(number)
    }
}

impl Versions {
    pub(super) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Each RandomState has a seed of its own, from the operating system.
        let random = RandomState::new().hash_one(()) as u32;
        Self {
            first: (since.as_nanos() >> UNIT) as u64 + 1,
            process: NonZeroU32::MIN.saturating_add(random),
        }
    }

    /// A random number that tells this process from the one before it.
    pub(super) fn process(self) -> NonZeroU32 {
        self.process
    }

    pub(super) fn of(self, stamp: Stamp) -> Version {
        Version(NonZeroU64::MIN.saturating_add(self.first + stamp.0 - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_at_one_moment_have_stamps_one_after_the_other() {
        let first = Stamp::after(Stamp::default(), Moment::at(1 << 20));
        let second = Stamp::after(first, Moment::at(1 << 20));
        let third = Stamp::after(second, Moment::at(0));
        assert_eq!((second.0, third.0), (first.0 + 1, first.0 + 2));
        let later = Stamp::after(third, Moment::at(1 << 21));
        assert_eq!(later.moment().nanoseconds(), 1 << 21);
    }

    #[test]
    fn a_later_process_has_higher_versions() {
        let before = Versions::start();
        std::thread::sleep(std::time::Duration::from_millis(1));
        let after = Versions::start();
        assert!(after.of(Stamp(1)) > before.of(Stamp(1)));
        assert!(i64::try_from(after.of(Stamp((1 << Stamp::BITS) - 1)).get()).is_ok());
    }
}
