//! Which primaries tell of changes. The near part may keep what it has only while all of them do:
//! what a primary that was not listened to has changed, nobody will ever tell.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::primary::Primary;

/// The primaries, and whether each tells.
#[derive(Debug)]
pub(super) struct Coverage {
    primaries: BTreeMap<Primary, bool>,
    /// How long the near part may be read after the primaries were last all listened to.
    stale_time: Duration,
    near: Near,
}

/// What the near part is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Near {
    /// It is told of every change.
    Fresh,
    /// It is not, and may be read until then.
    Stale { until: Instant },
    /// It is empty, and stays so.
    Empty,
}

/// Whether the near part must be flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Verdict {
    Keep,
    Flush,
}

impl Coverage {
    pub(super) fn new(stale_time: Duration) -> Self {
        Self { primaries: BTreeMap::new(), stale_time, near: Near::Empty }
    }

    /// These are the primaries. Returns those that are new, which must be listened to.
    pub(super) fn set_primaries(
        &mut self,
        primaries: &[Primary],
        now: Instant,
    ) -> (Vec<Primary>, Verdict) {
        let new: Vec<_> =
            primaries.iter().filter(|one| !self.primaries.contains_key(one)).cloned().collect();
        self.primaries.retain(|one, _| primaries.contains(one));
        self.primaries.extend(new.iter().cloned().map(|one| (one, false)));
        (new, self.judge(now))
    }

    /// A primary tells of changes from now on, or no more. One that is no primary does not matter.
    pub(super) fn set_heard(&mut self, primary: &Primary, heard: bool, now: Instant) -> Verdict {
        if let Some(known) = self.primaries.get_mut(primary) {
            *known = heard;
        }
        self.judge(now)
    }

    /// Whether a primary is still one.
    pub(super) fn has(&self, primary: &Primary) -> bool {
        self.primaries.contains_key(primary)
    }

    /// Some time has passed.
    pub(super) fn judge(&mut self, now: Instant) -> Verdict {
        let covered = self.is_whole();
        let (near, verdict) = match self.near {
            Near::Fresh if covered => (Near::Fresh, Verdict::Keep),
            Near::Fresh if self.stale_time.is_zero() => (Near::Empty, Verdict::Flush),
            Near::Fresh => (Near::Stale { until: now + self.stale_time }, Verdict::Keep),
            // What was changed meanwhile is not known.
            Near::Stale { .. } | Near::Empty if covered => (Near::Fresh, Verdict::Flush),
            Near::Stale { until } if now >= until => (Near::Empty, Verdict::Flush),
            unchanged => (unchanged, Verdict::Keep),
        };
        self.near = near;
        verdict
    }

    /// Whether the near part may be filled.
    pub(super) fn is_whole(&self) -> bool {
        !self.primaries.is_empty() && self.primaries.values().all(|heard| *heard)
    }

    /// Whether what is read near may be old.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self.near, Near::Stale { .. })
    }

    /// How many primaries there are, and how many of them tell.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.primaries.len(), self.primaries.values().filter(|heard| **heard).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primaries(names: &[&str]) -> Vec<Primary> {
        names.iter().map(|name| Primary { host: (*name).to_owned(), port: 6379 }).collect()
    }

    fn covered(stale_time: Duration, now: Instant) -> (Coverage, Vec<Primary>) {
        let mut coverage = Coverage::new(stale_time);
        let all = primaries(&["a", "b"]);
        assert_eq!(coverage.set_primaries(&all, now), (all.clone(), Verdict::Keep));
        assert_eq!(coverage.set_heard(&all[0], true, now), Verdict::Keep);
        assert!(!coverage.is_whole(), "one is not listened to");
        assert_eq!(coverage.set_heard(&all[1], true, now), Verdict::Flush);
        assert!(coverage.is_whole());
        (coverage, all)
    }

    #[test]
    fn one_primary_that_is_not_heard_empties_the_near_part_at_once() {
        let now = Instant::now();
        let (mut coverage, all) = covered(Duration::ZERO, now);
        assert_eq!(coverage.set_heard(&all[0], false, now), Verdict::Flush);
        assert!(!coverage.is_whole() && !coverage.is_stale());
        assert_eq!(coverage.judge(now), Verdict::Keep);
        assert_eq!(coverage.set_heard(&all[0], true, now), Verdict::Flush);
        assert!(coverage.is_whole());
    }

    #[test]
    fn a_near_part_that_may_be_stale_is_kept_so_long_and_flushed_when_all_are_heard_again() {
        let now = Instant::now();
        let (mut coverage, all) = covered(Duration::from_secs(3), now);
        assert_eq!(coverage.set_heard(&all[1], false, now), Verdict::Keep);
        assert!(coverage.is_stale() && !coverage.is_whole());
        let soon = now + Duration::from_secs(2);
        assert_eq!(coverage.set_heard(&all[0], false, soon), Verdict::Keep);
        // From the first loss on.
        assert_eq!(coverage.judge(now + Duration::from_secs(3)), Verdict::Flush);
        assert!(!coverage.is_stale());

        let (mut coverage, all) = covered(Duration::from_secs(3), now);
        assert_eq!(coverage.set_heard(&all[1], false, now), Verdict::Keep);
        assert_eq!(coverage.set_heard(&all[1], true, soon), Verdict::Flush);
        assert!(coverage.is_whole() && !coverage.is_stale());
    }

    #[test]
    fn a_new_primary_empties_the_near_part_until_it_is_heard() {
        let now = Instant::now();
        let (mut coverage, mut all) = covered(Duration::ZERO, now);
        let new = primaries(&["c"]);
        all.extend(new.clone());
        assert_eq!(coverage.set_primaries(&all, now), (new.clone(), Verdict::Flush));
        assert_eq!(coverage.set_heard(&new[0], true, now), Verdict::Flush);
        assert!(coverage.is_whole());
        assert_eq!(coverage.set_primaries(&all[1..], now), (Vec::new(), Verdict::Keep));
        assert!(coverage.is_whole() && !coverage.has(&all[0]));
    }
}
