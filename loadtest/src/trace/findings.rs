//! What was odd about a trace, counted while it was read and told when the replay has ended.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{clock::Leap, error::TraceError};

/// What was found so far. Shared between the reader and the report.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    rows: Arc<AtomicU64>,
    odd: Arc<Mutex<Odd>>,
}

/// What was found, in numbers.
#[derive(Clone, Debug, Default)]
pub struct Odd {
    /// Rows that were left out since they are broken, with the first of them.
    pub skipped: Oddity,
    /// Rows earlier than the one before.
    pub backwards: Oddity,
    /// Rows later than the one before by more than the longest gap.
    pub ahead: Oddity,
    /// Keys that were too long and replaced.
    pub hashed: Oddity,
    /// The files that were begun, each with the number of rows before it.
    files: Vec<(PathBuf, u64)>,
}

/// How often something was found, and the first time.
#[derive(Clone, Debug, Default)]
pub struct Oddity {
    /// How often.
    pub count: u64,
    /// The longest step of those that are in time.
    pub longest: Duration,
    /// Where it was first, or what was first.
    pub first: Option<String>,
}

impl Oddity {
    fn note(&mut self, longest: Duration, first: impl FnOnce() -> String) {
        self.count += 1;
        self.longest = self.longest.max(longest);
        self.first.get_or_insert_with(first);
    }
}

impl Findings {
    /// Rows read.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// What was odd.
    #[must_use]
    pub fn odd(&self) -> Odd {
        self.lock().clone()
    }

    /// Finds the file of a row that is counted over all files, and its number there.
    #[must_use]
    pub fn place(&self, number: u64) -> Option<(PathBuf, u64)> {
        let odd = self.lock();
        let (path, before) = odd.files.iter().rfind(|(_, before)| *before < number)?;
        (odd.files.len() > 1).then(|| (path.clone(), number - before))
    }

    pub(super) fn row(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, path: PathBuf, before: u64) {
        self.lock().files.push((path, before));
    }

    pub(super) fn skip(&self, error: &TraceError) {
        self.lock().skipped.note(Duration::ZERO, || error.to_string());
    }

    pub(super) fn hash(&self, place: impl FnOnce() -> String) {
        self.lock().hashed.note(Duration::ZERO, place);
    }

    pub(super) fn leap(&self, leap: Leap, place: impl FnOnce() -> String) {
        match leap {
            Leap::Back(by) => self.lock().backwards.note(by, place),
            Leap::Ahead(by) => self.lock().ahead.note(by, place),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Odd> {
        // Each count is whole at every step.
        self.odd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
