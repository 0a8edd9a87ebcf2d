//! Progress as plain lines, one every few seconds: for logs, and for terminals that can do no
//! more.

use std::time::{Duration, Instant};

use crate::{console::say, engine::Seen, report::ratio};

/// Pause between two lines: seldom enough for a log.
const PERIOD: Duration = Duration::from_secs(5);

/// The lines of one phase.
pub(super) struct Lines {
    phase: String,
    /// What other phases did.
    before: Seen,
    last: (Instant, u64),
}

impl Lines {
    /// Begins a phase; `seen` are the counters by now.
    pub(super) fn new(phase: &str, seen: Seen) -> Self {
        Self { phase: phase.to_owned(), before: seen, last: (Instant::now(), seen.done) }
    }

    /// Writes a line, if it is time for one.
    pub(super) fn tick(&mut self, seen: Seen) {
        let now = Instant::now();
        let (then, counted) = self.last;
        if now - then < PERIOD {
            return;
        }
        self.last = (now, seen.done);
        say(&line(&self.phase, seen.since(&self.before), seen.done - counted, now - then));
    }
}

fn line(phase: &str, seen: Seen, since: u64, time: Duration) -> String {
    let Seen { done, failed, hits, misses, .. } = seen;
    let rate = since as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE);
    let ratio = ratio(hits, hits + misses)
        .map_or_else(String::new, |ratio| format!(", hit ratio {:.1} %", ratio * 100.0));
    format!("{phase}: {done} requests, {rate:.0}/s, failed {failed}{ratio}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_rate_since_the_last_one_and_the_ratio_of_all() {
        let seen = Seen { done: 200_000, failed: 3, hits: 312, misses: 688, ..Seen::default() };
        assert_eq!(
            line("replay", seen, 90_000, Duration::from_secs(2)),
            "replay: 200000 requests, 45000/s, failed 3, hit ratio 31.2 %"
        );
        assert_eq!(
            line("run", Seen::default(), 0, Duration::ZERO),
            "run: 0 requests, 0/s, failed 0"
        );
    }
}
