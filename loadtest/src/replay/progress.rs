//! Shows on stderr how far a replay has come: a bar on a terminal, else a plain line
//! every few seconds.

use std::{
    io::{self, IsTerminal, Write},
    num::NonZeroU64,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::live::Seen;
use crate::{report::ratio, trace::Meter};

/// Pause between two looks at the counters where a bar is drawn.
const BAR_PERIOD: Duration = Duration::from_millis(200);

/// Pause between two plain lines: seldom enough for a log.
const LINE_PERIOD: Duration = Duration::from_secs(5);

/// Progress of one run.
pub(super) struct Progress {
    /// None where stderr is no terminal.
    bar: Option<ProgressBar>,
    goal: Goal,
    last: (Instant, u64),
}

/// What 100 % are.
enum Goal {
    /// So many accesses. A shorter trace ends before.
    Accesses(u64),
    /// The whole file. How many accesses are in it is not known without reading it.
    File(Meter),
}

impl Progress {
    /// Begins to show progress towards the limit or the file's end.
    #[must_use]
    pub(super) fn new(limit: Option<NonZeroU64>, meter: Meter) -> Self {
        let goal = limit.map_or(Goal::File(meter), |limit| Goal::Accesses(limit.get()));
        let bar = io::stderr().is_terminal().then(|| bar(goal.whole()));
        Self { bar, goal, last: (Instant::now(), 0) }
    }

    /// How often there is something to show.
    #[must_use]
    pub(super) fn period(&self) -> Duration {
        if self.bar.is_some() { BAR_PERIOD } else { LINE_PERIOD }
    }

    /// Shows what has been seen by now.
    pub(super) fn show(&mut self, seen: Seen) {
        let now = Instant::now();
        let (then, accesses) = std::mem::replace(&mut self.last, (now, seen.accesses));
        let line = line(seen, seen.accesses - accesses, now - then);
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.set_position(self.goal.done(seen));
            }
            None => self.note(&line),
        }
    }

    /// Writes a line of its own.
    pub(super) fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(line)),
            None => say(line),
        }
    }

    /// Takes the bar off the terminal.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Goal {
    /// 0 where the end is not known, as with a pipe.
    fn whole(&self) -> u64 {
        match self {
            Self::Accesses(limit) => *limit,
            Self::File(meter) => meter.total(),
        }
    }

    fn done(&self, seen: Seen) -> u64 {
        match self {
            Self::Accesses(_) => seen.accesses,
            Self::File(meter) => meter.read(),
        }
    }
}

fn bar(whole: u64) -> ProgressBar {
    let (bar, template) = match whole {
        0 => (ProgressBar::no_length(), "{spinner} {elapsed} {msg}"),
        _ => (ProgressBar::new(whole), "{bar:30} {percent:>3} % {msg}, {eta} left"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.with_style(ProgressStyle::with_template(template).expect("the template is well formed"))
}

fn line(seen: Seen, accesses: u64, time: Duration) -> String {
    let rate = accesses as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE);
    let ratio = ratio(seen.hits, seen.hits + seen.misses)
        .map_or_else(|| "none yet".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0));
    format!("replayed {} accesses, {rate:.0}/s, hit ratio {ratio}", seen.accesses)
}

/// Progress is not worth failing for: a closed stderr is left alone.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_rate_since_the_last_one_and_the_ratio_of_all() {
        let seen = Seen { accesses: 200_000, hits: 312, misses: 688 };
        assert_eq!(
            line(seen, 90_000, Duration::from_secs(2)),
            "replayed 200000 accesses, 45000/s, hit ratio 31.2 %"
        );
        assert_eq!(
            line(Seen::default(), 0, Duration::ZERO),
            "replayed 0 accesses, 0/s, hit ratio none yet"
        );
    }
}
