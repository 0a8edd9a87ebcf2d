//! What the view remembers of a run: counters as they are, and seconds that are whole.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{heat::Heat, phase::Phase};
use crate::{
    engine::{Second, Seen},
    peers::ServerCounts,
};

/// Rates kept: more than a terminal has columns.
const KEPT: usize = 1024;

/// What "now" is, and the time from one rate of the sparkline to the next.
const NOW: Duration = Duration::from_secs(1);

/// The run so far.
pub(super) struct History {
    pub(super) target: String,
    /// None before anything has begun.
    pub(super) phase: Option<Phase>,
    began: Instant,
    /// What other phases did.
    before: Seen,
    /// What was counted in this phase.
    pub(super) seen: Seen,
    /// Answered requests at the last looks, the latest last.
    looks: VecDeque<(Instant, u64)>,
    /// Answered requests a second, the latest in front.
    pub(super) rates: VecDeque<u64>,
    rated: (Instant, u64),
    /// The kind of the last failure.
    pub(super) failure: Option<&'static str>,
    /// Each of several servers: name, requests a second now, and failed ones so far.
    pub(super) servers: Vec<(Arc<str>, u64, u64)>,
    counted: (Instant, Vec<(Arc<str>, u64, u64)>),
    /// A line to show below the figures.
    pub(super) notice: Option<String>,
    /// The last second that is whole.
    pub(super) last: Option<Second>,
    /// All of them together.
    pub(super) so_far: Second,
    pub(super) heat: Heat,
}

impl History {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            target: String::new(),
            phase: None,
            began: now,
            before: Seen::default(),
            seen: Seen::default(),
            looks: VecDeque::new(),
            rates: VecDeque::new(),
            rated: (now, 0),
            failure: None,
            servers: Vec::new(),
            counted: (now, Vec::new()),
            notice: None,
            last: None,
            so_far: Second::default(),
            heat: Heat::default(),
        }
    }

    /// Begins a phase; `seen` are the counters by now.
    pub(super) fn begin(&mut self, target: &str, phase: Phase, seen: Seen) {
        let now = Instant::now();
        target.clone_into(&mut self.target);
        self.phase = Some(phase);
        (self.began, self.before, self.seen) = (now, seen, Seen::default());
        self.rated = (now, 0);
        self.looks = VecDeque::from([(now, 0)]);
    }

    /// Takes a look at the counters.
    pub(super) fn tick(&mut self, seen: Seen, failure: Option<&'static str>) {
        let now = Instant::now();
        self.seen = seen.since(&self.before);
        self.failure = failure;
        let answered = self.answered();
        self.looks.push_back((now, answered));
        while self.looks.len() > 2 && now - self.looks[1].0 >= NOW {
            self.looks.pop_front();
        }
        if now - self.rated.0 >= NOW {
            let (then, counted) = std::mem::replace(&mut self.rated, (now, answered));
            self.rates.truncate(KEPT - 1);
            self.rates.push_front(rate(answered.saturating_sub(counted), now - then));
        }
    }

    /// Takes a look at the counts of each server, once in [`NOW`].
    pub(super) fn tick_servers(&mut self, servers: &ServerCounts) {
        let now = Instant::now();
        let time = now - self.counted.0;
        if time < NOW {
            return;
        }
        let counts = servers.requests();
        let (_, before) = std::mem::replace(&mut self.counted, (now, counts));
        let since = |name: &Arc<str>, requests: u64| {
            let known = before.iter().find(|(known, ..)| known == name);
            requests.saturating_sub(known.map_or(0, |(_, requests, _)| *requests))
        };
        let counts = self.counted.1.iter();
        self.servers = counts
            .map(|(name, requests, failed)| {
                (name.clone(), rate(since(name, *requests), time), *failed)
            })
            .collect();
    }

    /// Takes a second that is whole.
    pub(super) fn second(&mut self, second: &Second) {
        self.so_far.merge(second);
        self.heat.push(second.times());
        self.last = Some(second.clone());
    }

    /// Shows a line below the figures.
    pub(super) fn note(&mut self, line: &str) {
        self.notice = Some(line.to_owned());
    }

    /// Requests of this phase that were answered.
    pub(super) fn answered(&self) -> u64 {
        self.seen.done.saturating_sub(self.seen.failed)
    }

    /// Requests answered in a second, now.
    pub(super) fn rate_now(&self) -> u64 {
        match (self.looks.front(), self.looks.back()) {
            (Some((from, before)), Some((to, after))) => {
                rate(after.saturating_sub(*before), *to - *from)
            }
            _ => 0,
        }
    }

    /// How long the phase has lasted.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

fn rate(count: u64, time: Duration) -> u64 {
    (count as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE)).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Goal;

    fn seen(done: u64, failed: u64) -> Seen {
        Seen { done, failed, ..Seen::default() }
    }

    fn phase(name: &str) -> Phase {
        Phase { name: name.to_owned(), goal: Goal::Requests(100), course: None }
    }

    #[test]
    fn a_phase_begins_at_zero_whatever_was_counted_before() {
        let mut history = History::new();
        history.begin("null", phase("prefill"), seen(0, 0));
        history.tick(seen(50, 0), None);
        history.begin("null", phase("run"), seen(100, 1));
        history.tick(seen(110, 3), Some("UNAVAILABLE"));
        assert_eq!((history.seen.done, history.seen.failed), (10, 2));
        assert_eq!(history.answered(), 8);
        assert_eq!(history.failure, Some("UNAVAILABLE"));
    }

    /// Threads are read one after the other: a failure may be seen before its request is.
    #[test]
    fn a_failure_that_is_seen_first_is_no_negative_rate() {
        let mut history = History::new();
        history.begin("null", phase("run"), seen(0, 0));
        history.tick(seen(0, 1), None);
        assert_eq!((history.answered(), history.rate_now()), (0, 0));
    }

    #[test]
    fn the_seconds_add_up() {
        let mut history = History::new();
        for micros in [10, 30] {
            let mut second = Second { requests: 1, ..Second::default() };
            second.service.record(micros * 1_000).unwrap();
            history.second(&second);
        }
        assert_eq!((history.so_far.requests, history.so_far.service.len()), (2, 2));
        assert_eq!(history.last.unwrap().service.len(), 1);
    }
}
