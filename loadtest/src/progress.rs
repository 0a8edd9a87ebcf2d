//! Shows on stderr how far a phase has come: a bar on a terminal, else a plain line every
//! few seconds.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{engine::Seen, report::ratio, trace::Meter};

/// Pause between two looks at the counters where a bar is drawn.
const BAR_PERIOD: Duration = Duration::from_millis(200);

/// Pause between two plain lines: seldom enough for a log.
const LINE_PERIOD: Duration = Duration::from_secs(5);

/// What 100 % are.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// So many requests.
    Requests(u64),
    /// So much time.
    Time(Duration),
    /// A whole file. How many accesses are in it is not known without reading it.
    File(Meter),
}

/// Progress of one phase.
pub(crate) struct Progress {
    phase: String,
    goal: Goal,
    /// None where stderr is no terminal.
    bar: Option<ProgressBar>,
    began: Instant,
    /// What other phases did.
    before: Seen,
    last: (Instant, u64),
}

impl Progress {
    /// Begins a phase; `seen` are the counters by now.
    pub(crate) fn new(phase: impl Into<String>, goal: Goal, seen: Seen) -> Self {
        let now = Instant::now();
        let bar = io::stderr().is_terminal().then(|| bar(goal.whole()));
        Self { phase: phase.into(), goal, bar, began: now, before: seen, last: (now, seen.done) }
    }

    /// How often there is something to show.
    pub(crate) fn period(&self) -> Duration {
        if self.bar.is_some() { BAR_PERIOD } else { LINE_PERIOD }
    }

    /// Shows the counters.
    pub(crate) fn show(&mut self, seen: Seen) {
        let now = Instant::now();
        let (then, counted) = std::mem::replace(&mut self.last, (now, seen.done));
        let since = Seen {
            done: seen.done - self.before.done,
            failed: seen.failed - self.before.failed,
            hits: seen.hits - self.before.hits,
            misses: seen.misses - self.before.misses,
            ..seen
        };
        let line = line(&self.phase, since, seen.done - counted, now - then);
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.set_position(match &self.goal {
                    Goal::Requests(_) => since.done,
                    Goal::Time(_) => millis(self.began.elapsed()),
                    Goal::File(meter) => meter.read(),
                });
            }
            None => say(&line),
        }
    }

    /// Somebody who may write between.
    pub(crate) fn notice(&self) -> Notice {
        Notice(self.bar.clone())
    }

    /// Takes the bar off the terminal.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes lines of its own, beside the bar where there is one.
pub(crate) struct Notice(Option<ProgressBar>);

impl Notice {
    /// Writes a line.
    pub(crate) fn say(&self, line: &str) {
        match &self.0 {
            Some(bar) => bar.suspend(|| say(line)),
            None => say(line),
        }
    }
}

impl Goal {
    /// 0 where the end is not known, as with a pipe.
    fn whole(&self) -> u64 {
        match self {
            Self::Requests(requests) => *requests,
            Self::Time(time) => millis(*time),
            Self::File(meter) => meter.total(),
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

fn line(phase: &str, seen: Seen, since: u64, time: Duration) -> String {
    let Seen { done, failed, hits, misses, .. } = seen;
    let rate = since as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE);
    let ratio = ratio(hits, hits + misses)
        .map_or_else(String::new, |ratio| format!(", hit ratio {:.1} %", ratio * 100.0));
    format!("{phase}: {done} requests, {rate:.0}/s, failed {failed}{ratio}")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a line where no bar is. A closed stderr is not worth failing for.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_rate_since_the_last_one_and_the_ratio_of_all() {
        let seen = Seen { done: 200_000, failed: 3, hits: 312, misses: 688, cpu_nanos: 0 };
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
