//! All that shows and writes the figures of a run.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    files::Files,
    history::History,
    lines::Lines,
    passed::Passed,
    phase::Phase,
    prometheus::Endpoint,
    screen::{self, Screen},
    view::View,
    wanted::{Progress, Wanted},
};
use crate::{
    console,
    engine::{LEAD, Live, Second},
    output_file::OutputError,
};

/// Pause between two looks at the counters.
pub(crate) const PERIOD: Duration = Duration::from_millis(200);

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
    /// Opens files and port, and chooses the display that the terminal can draw.
    ///
    /// # Errors
    ///
    /// One of them cannot be opened.
    pub(crate) fn open(wanted: &Wanted) -> Result<Self, OutputError> {
        let display = match wanted.progress {
            Progress::Live => {
                screen::drawable().map_err(|why| format!("--progress live: {why}"))?;
                Display::live()
            }
            Progress::Auto if screen::drawable().is_ok() => Display::live(),
            Progress::Auto | Progress::Lines => Display::Lines(None),
            Progress::None => Display::None,
        };
        let files = Files::open(wanted)?;
        let endpoint = wanted.prometheus.as_deref().map(Endpoint::open).transpose()?;
        if let Some(endpoint) = &endpoint {
            console::say(&format!("metrics: http://{}/metrics", endpoint.address));
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

    /// Watches a phase against `target` from here on, by these counters.
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
                if let Some(servers) = self.live.servers() {
                    drawn.history.tick_servers(servers);
                }
                drawn.draw();
            }
            Display::Lines(Some(lines)) => lines.tick(seen),
            Display::Lines(None) | Display::None => {}
        }
    }

    /// Prints a line, or shows it in the view.
    pub(crate) fn say(&mut self, line: &str) {
        match &mut self.display {
            Display::Live(drawn) => {
                drawn.history.note(line);
                drawn.draw();
            }
            Display::Lines(_) | Display::None => console::say(line),
        }
    }

    /// Clears the terminal, closes the port and finishes the files, except those that are not
    /// finished when `leave` resolves.
    pub(crate) async fn close(
        &mut self,
        leave: impl Future<Output = ()>,
    ) -> Result<(), OutputError> {
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
