//! When a connection is to end by itself: at its age, or after a time without a call. It ends as in
//! a drain, so that no call is lost; calls that are open then have a grace.

use std::time::{Duration, Instant};

use rand::RngExt;

use super::{
    farewell::Calls,
    limits::Limits,
    retirement::{Retirement, Retirements},
};

/// Time for the calls that are open at the end of a connection's time.
const GRACE: Duration = Duration::from_secs(30);

/// By how much an age differs from what is set, either way: connections that were opened together
/// are not to end together.
const JITTER: f64 = 0.1;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Say that the connection ends.
    Retire,
    /// Close it.
    Cut,
}

/// The time of one connection. Made only where a limit is set.
#[derive(Debug)]
pub(super) struct Lifetime {
    age_end: Option<Instant>,
    idle: Option<Duration>,
    /// The calls when they last changed, and when that was.
    calls: Calls,
    since: Instant,
    /// When a connection that was told is cut off.
    told: Option<Instant>,
    retirements: Retirements,
}

impl Lifetime {
    /// The time of a connection that was opened at `opened`; none without a limit.
    pub(super) fn of(
        limits: &Limits,
        retirements: &Retirements,
        opened: Instant,
    ) -> Option<Box<Self>> {
        let (age, idle) = (limits.max_age, limits.max_idle);
        if age.is_none() && idle.is_none() {
            return None;
        }
        let jitter = rand::rng().random_range(1.0 - JITTER..=1.0 + JITTER);
        Some(Box::new(Self {
            age_end: age.map(|age| opened + age.mul_f64(jitter)),
            idle,
            calls: Calls { none_open: true, last: 0 },
            since: opened,
            told: None,
            retirements: retirements.clone(),
        }))
    }

    /// What is due, with the calls as they are.
    pub(super) fn due(&mut self, calls: Calls, now: Instant) -> Due {
        if calls != self.calls {
            (self.calls, self.since) = (calls, now);
        }
        if let Some(end) = self.told {
            if now < end || calls.none_open {
                return Due::Nothing;
            }
            self.retirements.count(Retirement::Grace);
            return Due::Cut;
        }
        let has_passed = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        let why = if has_passed(self.age_end) {
            Retirement::Age
        } else if has_passed(self.idle_end()) {
            Retirement::Idle
        } else {
            return Due::Nothing;
        };
        self.retirements.count(why);
        self.told = Some(now + GRACE);
        Due::Retire
    }

    /// Whether something is due, if the calls are what they were.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|end| end <= now)
    }

    /// When something is due, if the calls stay as they are.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.told {
            Some(end) => (!self.calls.none_open).then_some(end),
            None => [self.age_end, self.idle_end()].into_iter().flatten().min(),
        }
    }

    fn idle_end(&self) -> Option<Instant> {
        self.idle.filter(|_| self.calls.none_open).map(|idle| self.since + idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NONE: Calls = Calls { none_open: true, last: 0 };
    const ONE: Calls = Calls { none_open: false, last: 1 };
    const DONE: Calls = Calls { none_open: true, last: 1 };

    fn lifetime(age: u32, idle: u32) -> (Lifetime, Retirements, Instant) {
        let limit = |seconds| (seconds > 0).then(|| seconds * SECOND);
        let limits = Limits { max_age: limit(age), max_idle: limit(idle), ..Limits::default() };
        let (retirements, opened) = (Retirements::default(), Instant::now());
        (*Lifetime::of(&limits, &retirements, opened).unwrap(), retirements, opened)
    }

    #[test]
    fn without_a_limit_there_is_none() {
        let now = Instant::now();
        assert!(Lifetime::of(&Limits::default(), &Retirements::default(), now).is_none());
    }

    #[test]
    fn ages_differ_by_a_tenth_either_way() {
        let ages: Vec<_> = (0..200)
            .map(|_| {
                let (lifetime, _, opened) = lifetime(100, 0);
                lifetime.deadline().unwrap() - opened
            })
            .collect();
        let (least, most) = (*ages.iter().min().unwrap(), *ages.iter().max().unwrap());
        assert!(least >= 90 * SECOND && least < 95 * SECOND, "{least:?}");
        assert!(most <= 110 * SECOND && most > 105 * SECOND, "{most:?}");
    }

    #[test]
    fn a_call_begins_the_time_without_a_call_anew() {
        let (mut lifetime, retirements, opened) = lifetime(0, 10);
        assert_eq!(lifetime.due(NONE, opened + 9 * SECOND), Due::Nothing);
        assert_eq!(lifetime.due(ONE, opened + 9 * SECOND), Due::Nothing);
        assert_eq!(lifetime.deadline(), None, "a call is open");
        assert_eq!(lifetime.due(ONE, opened + 100 * SECOND), Due::Nothing);
        // One that came and went between two looks is known by its number.
        assert_eq!(lifetime.due(DONE, opened + 101 * SECOND), Due::Nothing);
        assert_eq!(lifetime.deadline(), Some(opened + 111 * SECOND));
        assert_eq!(lifetime.due(DONE, opened + 111 * SECOND), Due::Retire);
        assert_eq!(lifetime.due(DONE, opened + 999 * SECOND), Due::Nothing);
        assert_eq!(retirements.by_reason(), [("age", 0), ("idle", 1), ("grace", 0)]);
    }

    #[test]
    fn calls_that_are_open_at_the_age_have_a_grace() {
        let (mut lifetime, retirements, opened) = lifetime(10, 0);
        let end = opened + 11 * SECOND;
        assert_eq!(lifetime.due(ONE, end), Due::Retire);
        assert_eq!(lifetime.deadline(), Some(end + GRACE));
        assert_eq!(lifetime.due(ONE, end + GRACE - SECOND), Due::Nothing);
        assert_eq!(lifetime.due(ONE, end + GRACE), Due::Cut);
        assert_eq!(retirements.by_reason(), [("age", 1), ("idle", 0), ("grace", 1)]);
    }
}
