//! Makes rates of counters, from two samples.

use tiny_cache_client::Stats;
use tokio::time::Instant;

/// The wire's limit of a counter. At the limit there is no rate.
const COUNTER_LIMIT: u64 = i32::MAX as u64;

/// A sample with its rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) stats: Stats,
    /// None without a previous sample: at the start, and after an outage or a restart.
    pub(super) rates: Option<Rates>,
}

/// Events a second since the sample before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) hits: f64,
    pub(super) misses: f64,
    pub(super) evictions: f64,
}

impl Rates {
    /// Hits among the reads, 0 to 1; none without reads.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        (reads > 0.0).then(|| self.hits / reads)
    }
}

/// The sample before.
#[derive(Debug, Default)]
pub(super) struct Meter(Option<(Instant, Stats)>);

impl Meter {
    /// Takes a sample.
    pub(super) fn read(&mut self, at: Instant, stats: Stats) -> Reading {
        let before = self.0.replace((at, stats));
        Reading { stats, rates: before.and_then(|before| rates(before, (at, stats))) }
    }

    /// Forgets the previous sample after an outage.
    pub(super) fn lose(&mut self) {
        self.0 = None;
    }
}

fn rates(before: (Instant, Stats), now: (Instant, Stats)) -> Option<Rates> {
    let seconds = now.0.saturating_duration_since(before.0).as_secs_f64();
    let rate = |counter: fn(&Stats) -> u64| {
        let (from, to) = (counter(&before.1), counter(&now.1));
        // A counter that fell belongs to a restarted server.
        let known = from <= to && from < COUNTER_LIMIT && seconds > 0.0;
        known.then(|| (to - from) as f64 / seconds)
    };
    Some(Rates {
        hits: rate(|stats| stats.hits)?,
        misses: rate(|stats| stats.misses)?,
        evictions: rate(|stats| stats.evictions)?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    pub(in crate::watch) fn stats(hits: u64, misses: u64, evictions: u64) -> Stats {
        let mut stats = Stats::default();
        (stats.hits, stats.misses, stats.evictions) = (hits, misses, evictions);
        stats
    }

    /// The rates after samples that are two seconds apart.
    fn rates_of(samples: &[(u64, u64, u64)]) -> Vec<Option<Rates>> {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let at = |n: usize| start + Duration::from_secs(2 * n as u64);
        let read = |(n, &(hits, misses, evictions))| {
            meter.read(at(n), stats(hits, misses, evictions)).rates
        };
        samples.iter().enumerate().map(read).collect()
    }

    #[test]
    fn rates_are_events_a_second() {
        let rates = rates_of(&[(0, 0, 0), (6, 2, 1)]);
        let expected = Rates { hits: 3.0, misses: 1.0, evictions: 0.5 };
        assert_eq!(rates, [None, Some(expected)]);
        assert_eq!(expected.hit_ratio(), Some(0.75));
    }

    #[test]
    fn without_reads_there_is_no_ratio() {
        assert_eq!(rates_of(&[(5, 5, 0), (5, 5, 0)])[1].unwrap().hit_ratio(), None);
    }

    #[test]
    fn a_restart_is_no_negative_rate() {
        let rates = rates_of(&[(100, 10, 0), (3, 1, 0), (5, 1, 0)]);
        assert_eq!(rates[1], None);
        assert_eq!(rates[2].unwrap().hits, 1.0);
    }

    #[test]
    fn a_counter_at_its_limit_tells_no_rate() {
        assert_eq!(rates_of(&[(COUNTER_LIMIT, 0, 0), (COUNTER_LIMIT, 9, 0)])[1], None);
    }

    #[test]
    fn an_outage_leaves_a_gap() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        meter.read(start, stats(1, 0, 0));
        meter.lose();
        assert_eq!(meter.read(start + Duration::from_secs(9), stats(9, 0, 0)).rates, None);
    }
}
