//! Those who watch a run while it lasts: a view in the terminal or plain lines, files that get
//! a row for each second, and a port where the figures can be scraped. Whatever becomes of one
//! of them, the run goes on; what went wrong is told at its end.

mod phase; // what is about to happen
mod passed; // a second that is whole
mod lines; // progress as plain lines
mod screen; // the terminal, and giving it back
mod history; // what the view remembers
mod heat; // its latencies, second by second
mod view; // and what is drawn of that
mod files; // writing while the run goes on
mod csv; // a row for each second
mod hdr_log; // a histogram for each second
mod prometheus; // figures to scrape

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use thiserror::Error;

use self::{
    files::Files, history::History, lines::Lines, passed::Passed, prometheus::Endpoint,
    screen::Screen, view::View,
};
pub(crate) use self::{
    phase::{Goal, Phase},
    screen::give_back,
};
use crate::{
    cli::{OutputArgs, Progress},
    console,
    engine::{LEAD, Live, Second},
};

/// Pause between two looks at the counters.
pub(crate) const PERIOD: Duration = Duration::from_millis(200);

/// What cannot be written or served, each with its option; several in one line.
#[derive(Debug, Error)]
#[error("{}", .0.join("; "))]
pub struct WatchError(Vec<String>);

impl WatchError {
    fn new(option: &str, place: impl std::fmt::Display, error: impl std::fmt::Display) -> Self {
        Self(vec![format!("{option} {place}: {error}")])
    }
}

/// All watchers of a run.
pub(crate) struct Watchers {
    display: Display,
    files: Files,
    endpoint: Option<Endpoint>,
    live: Arc<Live>,
    phase: Option<Phase>,
    /// When the first measured second of the phase begins.
    from: SystemTime,
}

enum Display {
    Live(Box<Drawn>),
    Lines(Option<Lines>),
    None,
}

/// The view, what it shows, and where: nowhere before there is something to show.
struct Drawn {
    view: View,
    history: History,
    screen: Option<Screen>,
}

impl Watchers {
    /// Opens files and port, and finds out what the terminal can do.
    ///
    /// # Errors
    ///
    /// One of them cannot be had.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, WatchError> {
        let display = match args.progress {
            Progress::Live => {
                screen::drawable()
                    .map_err(|why| WatchError(vec![format!("--progress live: {why}")]))?;
                Display::live()
            }
            Progress::Auto if screen::drawable().is_ok() => Display::live(),
            Progress::Auto | Progress::Lines => Display::Lines(None),
            Progress::None => Display::None,
        };
        let files = Files::open(args)?;
        let endpoint = args.prometheus.as_deref().map(Endpoint::open).transpose()?;
        if let Some(endpoint) = &endpoint {
            console::say(&format!("metrics: http://{}/metrics", endpoint.address()));
        }
        Ok(Self {
            display,
            files,
            endpoint,
            live: Arc::default(),
            phase: None,
            from: SystemTime::now(),
        })
    }

    /// Watches a phase of driving `target` from here on, by these counters.
    pub(crate) fn begin(&mut self, target: &str, phase: Phase, live: Arc<Live>) {
        self.from = SystemTime::now() + LEAD + phase.warm_up();
        self.live = live;
        let seen = self.live.seen();
        match &mut self.display {
            Display::Live(drawn) => drawn.history.begin(target, phase.clone(), seen),
            Display::Lines(lines) => *lines = Some(Lines::new(&phase.name, seen)),
            Display::None => {}
        }
        if let Some(endpoint) = &self.endpoint {
            endpoint.begin(&phase, &self.live);
        }
        self.phase = Some(phase);
    }

    /// Takes a second of the phase that is whole.
    pub(crate) fn second(&mut self, step: usize, index: u64, second: &Second) {
        if let Display::Live(drawn) = &mut self.display {
            drawn.history.second(second);
        }
        if let Some(endpoint) = &self.endpoint {
            endpoint.second(second);
        }
        let is_open = self.phase.as_ref().is_some_and(Phase::is_open);
        let at = self.from + Duration::from_secs(index);
        self.files.second(|| Passed { step, index, at, is_open, second: second.clone() });
    }

    /// Looks at the counters, once in a [`PERIOD`].
    pub(crate) fn tick(&mut self) {
        let seen = self.live.seen();
        match &mut self.display {
            Display::Live(drawn) => {
                drawn.history.tick(seen, self.live.last_failure());
                drawn.draw();
            }
            Display::Lines(Some(lines)) => lines.tick(seen),
            Display::Lines(None) | Display::None => {}
        }
    }

    /// Says a line, beside what is shown.
    pub(crate) fn say(&mut self, line: &str) {
        match &mut self.display {
            Display::Live(drawn) => {
                drawn.history.note(line);
                drawn.draw();
            }
            Display::Lines(_) | Display::None => console::say(line),
        }
    }

    /// Takes all off the terminal, ends what is served and finishes the files, but for those that
    /// are not finished when somebody wants to leave.
    pub(crate) async fn close(
        &mut self,
        leave: impl Future<Output = ()>,
    ) -> Result<(), WatchError> {
        self.display = Display::None;
        self.endpoint = None;
        self.files.finish(leave).await
    }
}

impl Display {
    fn live() -> Self {
        let (view, history) = (View::new(), History::new());
        Self::Live(Box::new(Drawn { view, history, screen: None }))
    }
}

impl Drawn {
    fn draw(&mut self) {
        // A terminal that is gone is not worth failing for.
        if self.screen.is_none() {
            self.screen = Screen::enter().ok();
        }
        if let Some(screen) = &mut self.screen {
            screen.draw(|frame| self.view.draw(frame, &self.history));
        }
    }
}
