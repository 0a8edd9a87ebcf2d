//! Shows on stderr how far a phase has come: a bar on a terminal, else a plain line every
//! few seconds.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Pause between two looks at the counters where a bar is drawn.
const BAR_PERIOD: Duration = Duration::from_millis(200);

/// Pause between two plain lines: seldom enough for a log.
const LINE_PERIOD: Duration = Duration::from_secs(5);

/// What 100 % are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// So many requests.
    Requests(u64),
    /// So much time.
    Time(Duration),
}

/// Progress of one phase.
pub(super) struct Progress {
    phase: &'static str,
    goal: Goal,
    /// None where stderr is no terminal.
    bar: Option<ProgressBar>,
    began: Instant,
    /// Requests that other phases made.
    before: (u64, u64),
    last: (Instant, u64),
}

impl Progress {
    /// Begins a phase; `seen` are the counters by now.
    pub(super) fn new(phase: &'static str, goal: Goal, seen: (u64, u64)) -> Self {
        let now = Instant::now();
        let bar = io::stderr().is_terminal().then(|| {
            let whole = match goal {
                Goal::Requests(requests) => requests,
                Goal::Time(time) => millis(time),
            };
            let bar = ProgressBar::with_draw_target(Some(whole), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {percent:>3} % {msg}")
                .expect("the template is well formed");
            bar.with_style(style)
        });
        Self { phase, goal, bar, began: now, before: seen, last: (now, seen.0) }
    }

    /// How often there is something to show.
    pub(super) fn period(&self) -> Duration {
        if self.bar.is_some() { BAR_PERIOD } else { LINE_PERIOD }
    }

    /// Shows the counters.
    pub(super) fn show(&mut self, (done, failed): (u64, u64)) {
        let now = Instant::now();
        let (then, counted) = std::mem::replace(&mut self.last, (now, done));
        let rate = (done - counted) as f64 / (now - then).as_secs_f64().max(f64::MIN_POSITIVE);
        let (done, failed) = (done - self.before.0, failed - self.before.1);
        let line = format!("{}: {done} requests, {rate:.0}/s, failed {failed}", self.phase);
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.set_position(match self.goal {
                    Goal::Requests(_) => done,
                    Goal::Time(_) => millis(self.began.elapsed()),
                });
            }
            None => say(&line),
        }
    }

    /// Takes the bar off the terminal.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a line of its own. A closed stderr is not worth failing for.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
