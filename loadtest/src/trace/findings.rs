//! What was odd about a trace: counted while it is read, reported when the replay has ended.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{clock::Leap, error::TraceError};

/// What was found so far. Shared between the reader and the report.
#[derive(Clone, Debug, Default)]
pub struct TraceFindings {
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

impl TraceFindings {
    /// Rows read.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// What was odd.
    pub fn odd(&self) -> Odd {
        self.odd.lock().clone()
    }

    /// Finds the file of a row that is counted over all files, and its number there.
    pub fn place(&self, number: u64) -> Option<(PathBuf, u64)> {
        let odd = self.odd.lock();
        let (path, before) = odd.files.iter().rfind(|(_, before)| *before < number)?;
        (odd.files.len() > 1).then(|| (path.clone(), number - before))
    }

    pub(super) fn row(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, path: PathBuf, before: u64) {
        self.odd.lock().files.push((path, before));
    }

    pub(super) fn skip(&self, error: &TraceError) {
        self.odd.lock().skipped.note(Duration::ZERO, || error.to_string());
    }

    pub(super) fn hash(&self, place: impl FnOnce() -> String) {
        self.odd.lock().hashed.note(Duration::ZERO, place);
    }

    pub(super) fn leap(&self, leap: Leap, place: impl FnOnce() -> String) {
        match leap {
            Leap::Back(by) => self.odd.lock().backwards.note(by, place),
            Leap::Ahead(by) => self.odd.lock().ahead.note(by, place),
        }
    }
}
