//! Whether the tier is there, and who is told when that changes: the log, the figures, readiness.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::tier::figures::Figures;

/// A tier that was not reached this long after the start is reported as away, whatever the reason.
const FIRST: Duration = Duration::from_secs(3);

/// Problems that are logged while the tier is away: each once, so that tries go without a word.
const PROBLEMS: usize = 8;

/// What turns when the tier comes and goes.
pub(super) type OnChange = Box<dyn Fn(bool) + Send>;

/// Whether the tier is there.
pub(super) struct Presence {
    place: String,
    began: Instant,
    /// `None`: nothing is known yet.
    is_up: Option<bool>,
    /// What kept from connecting, since the tier was there last.
    problems: Vec<String>,
    on_change: OnChange,
    figures: Figures,
}

impl Presence {
    /// Of the tier at this place, whose password is no part of it.
    pub(super) fn new(place: String, on_change: OnChange, figures: Figures) -> Self {
        let (began, problems) = (Instant::now(), Vec::new());
        Self { place, began, is_up: None, problems, on_change, figures }
    }

    /// Notes whether all connections are there. Before they first were, that they are not yet says
    /// nothing.
    pub(super) fn judge(&mut self, is_up: bool) {
        if is_up || self.is_up.is_some() {
            self.set(is_up);
        }
    }

    /// Notes why a connection was not made.
    pub(super) fn refused(&mut self, problem: &rustis::Error) {
        if self.is_up.is_none() {
            self.set(false);
        }
        let problem = problem.to_string();
        if self.problems.len() < PROBLEMS && !self.problems.contains(&problem) {
            warn!(backend = self.place, %problem, "cannot connect to the backend");
            self.problems.push(problem);
        }
    }

    /// Looks at the clock.
    pub(super) fn look(&mut self) {
        if self.is_up.is_none() && self.began.elapsed() >= FIRST {
            self.set(false);
            warn!(
                backend = self.place,
                "the backend was not reached since the start; look whether it is a cluster, and \
                 whether it speaks TLS, as CACHE_BACKEND_URL says"
            );
        }
    }

    fn set(&mut self, is_up: bool) {
        if self.is_up.replace(is_up) == Some(is_up) {
            return;
        }
        if is_up {
            self.problems.clear();
            info!(backend = self.place, "the backend is there, and tells of changes");
        } else {
            warn!(
                backend = self.place,
                "the backend is away; reads are misses, writes are refused"
            );
        }
        (self.on_change)(is_up);
        self.figures.set_up(is_up);
    }
}
