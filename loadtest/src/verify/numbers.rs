//! What is known of one key's server versions, and of its counter, and the rules that judge them.
//!
//! # Versions
//!
//! A server gives each write of a key a version above all that the key had before. So a call that
//! began after another one had ended, and saw or made an entry of the key, sees no lower version
//! ([`Numbers::saw`]); and two that see the same version see the same value.
//!
//! # Counters
//!
//! Every step adds one, and nobody else writes the key. Each is a write, so the rule of versions
//! holds, and two steps never have the same version. A cache may drop the counter at any time, and
//! the next step begins again at 1. So a value that is no higher than that of an earlier step is
//! wrong if fewer steps than it says can have been made since: those that had not ended when the
//! earlier one began ([`Numbers::stepped`]). A step that was lost shows as that.

use super::{nanos::Nanos, violation::Reason};

/// One key.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The highest version that was seen, of which value, and by when.
    seen: Option<Seen>,
    /// Steps that have begun, and those that have ended with a value.
    begun: u64,
    ended: u64,
    /// The step with the highest version.
    last: Option<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    version: i64,
    /// The number of the value, where it is one of this run.
    value: Option<u64>,
    by: Nanos,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    value: i64,
    /// Steps that had ended when it began.
    ended_before: u64,
}

impl Numbers {
    /// A call that began then saw or made this version, of this value.
    ///
    /// # Errors
    ///
    /// It could not have.
    pub(super) fn saw(
        &mut self,
        version: i64,
        value: Option<u64>,
        (began, ended): (Nanos, Nanos),
    ) -> Result<(), Reason> {
        let Some(seen) = &mut self.seen else {
            self.seen = Some(Seen { version, value, by: ended });
            return Ok(());
        };
        if version < seen.version {
            let Seen { version: higher, by, .. } = *seen;
            return if by < began { Err(Reason::VersionBefore(higher, by)) } else { Ok(()) };
        }
        if version > seen.version {
            *seen = Seen { version, value, by: ended };
            return Ok(());
        }
        seen.by = seen.by.min(ended);
        match (seen.value, value) {
            (Some(known), Some(value)) if known != value => Err(Reason::VersionOf(known)),
            (None, Some(value)) => {
                seen.value = Some(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A step begins. Returns how many had ended.
    pub(super) fn begin_step(&mut self) -> u64 {
        self.begun += 1;
        self.ended
    }

    /// A step made the counter this value, with this version.
    ///
    /// # Errors
    ///
    /// A step was lost, or the version could not be.
    pub(super) fn stepped(
        &mut self,
        (value, version): (i64, i64),
        ended_before: u64,
        (began, ended): (Nanos, Nanos),
    ) -> Result<(), Reason> {
        self.ended += 1;
        let highest = self.seen.map(|seen| seen.version);
        if highest == Some(version) {
            return Err(Reason::SteppedTwice(version));
        }
        self.saw(version, None, (began, ended))?;
        // One that came in between tells nothing of the order of values.
        if highest > Some(version) {
            return Ok(());
        }
        let before = self.last.replace(Step { value, ended_before });
        match before {
            Some(before) if value <= before.value => {
                let possible = self.begun - before.ended_before;
                let is_enough = u64::try_from(value).is_ok_and(|value| value <= possible);
                if is_enough { Ok(()) } else { Err(Reason::StepLost(before.value, possible)) }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(began: u64, ended: u64) -> (Nanos, Nanos) {
        let at = |millis| Nanos::from(Duration::from_millis(millis));
        (at(began), at(ended))
    }

    #[test]
    fn a_version_below_one_that_was_seen_before_is_wrong() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.saw(7, Some(1), at(0, 10)), Ok(()));
        assert_eq!(numbers.saw(9, Some(2), at(5, 20)), Ok(()));
        // It may have been read before the other was written.
        assert_eq!(numbers.saw(7, Some(1), at(15, 30)), Ok(()));
        let wrong = numbers.saw(7, Some(1), at(21, 30));
        assert!(matches!(wrong, Err(Reason::VersionBefore(9, _))), "{wrong:?}");
    }

    #[test]
    fn one_version_has_one_value() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.saw(7, None, at(0, 10)), Ok(()));
        assert_eq!(numbers.saw(7, Some(1), at(0, 10)), Ok(()));
        assert_eq!(numbers.saw(7, Some(2), at(0, 10)), Err(Reason::VersionOf(1)));
    }

    #[test]
    fn a_lost_step_is_found_and_a_counter_that_was_dropped_is_none() {
        let mut numbers = Numbers::default();
        let mut step = |value, version, began: u64| {
            let before = numbers.begin_step();
            numbers.stepped((value, version), before, at(began, began + 1))
        };
        for n in 1..=20 {
            assert_eq!(step(n, 100 + n, 10 * n as u64), Ok(()));
        }
        // The same value once more: only two steps can have been made since.
        assert_eq!(step(20, 121, 300), Err(Reason::StepLost(20, 2)));
        // Dropped, and begun again.
        assert_eq!(step(1, 122, 310), Ok(()));
        assert_eq!(step(2, 123, 320), Ok(()));
        assert_eq!(step(3, 123, 330), Err(Reason::SteppedTwice(123)));
    }
}
