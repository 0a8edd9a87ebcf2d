//! Reads files again when they change: certificates, rules, tokens. Knows nothing of what is in
//! them; whoever registers a file brings the function that reads and uses it.
//!
//! Every [`PERIOD`] each file's identity is looked at, through symbolic links, and its content
//! where the identity has changed. [`Reloads::ask`] has all of them read at once.
//!
//! A file that cannot be used changes nothing. It is reported when it has stayed so for [`SETTLE`]:
//! until then it may be half written, or one of two files that must fit each other may be missing.
//! A content is reported once, and once more when somebody asks.

mod content; // whether a file has changed

pub(crate) use self::content::read;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::{error, info};

use crate::sync::{AtomicBool, AtomicU64, Ordering};

use self::content::{Content, Looked};

/// Between two looks at the files.
const PERIOD: Duration = Duration::from_secs(1);

/// How long files may be of no use before that is reported. Tools write a certificate and its key
/// one after the other.
const SETTLE: Duration = Duration::from_secs(5);

/// How often files are read that change while they are read.
const READS: usize = 3;

/// What reading files again has led to.
pub(crate) type Outcome = Result<Change, String>;

/// Whether files that can be used have a content that was not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The new content is in use from now on.
    Changed,
    /// It is in use already.
    Same,
}

/// The files to watch, in the order in which they are looked at.
#[derive(Default)]
pub(crate) struct Reloader {
    watched: Vec<Watched>,
    asked: Arc<Notify>,
}

/// What became of the files, for the metrics, and the way to have them read at once. Clones
/// share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reloads {
    of_each: Arc<[Arc<Counts>]>,
    asked: Arc<Notify>,
}

/// What became of one subject.
#[derive(Debug)]
pub(crate) struct Counts {
    /// The subject's name.
    pub(crate) name: &'static str,
    ok: AtomicU64,
    failed: AtomicU64,
    has_failed: AtomicBool,
}

/// Files that are read together.
struct Watched {
    paths: Vec<Looked>,
    read: Box<dyn FnMut() -> Outcome + Send>,
    counts: Arc<Counts>,
    /// What was read last.
    handled: Option<Vec<Content>>,
    /// Since when they are of no use without a report.
    unusable: Option<Instant>,
}

impl Reloader {
    /// Watches `paths`, which are read together.
    ///
    /// `name` is the metrics' label and the log's. `read` reads the files and puts what they hold
    /// to use, or returns why they cannot be used, in one line that names file and remedy, and
    /// changes nothing. It is called on the thread that runs [`Self::run`], for the first time
    /// when that begins: the files may have changed since they were read at the start.
    pub(crate) fn register(
        &mut self,
        name: &'static str,
        paths: impl IntoIterator<Item = PathBuf>,
        read: impl FnMut() -> Outcome + Send + 'static,
    ) {
        self.watched.push(Watched {
            paths: paths.into_iter().map(Looked::new).collect(),
            read: Box::new(read),
            counts: Arc::new(Counts::new(name)),
            handled: None,
            unusable: None,
        });
    }

    /// Whether there is nothing to watch, and no need to run.
    pub(crate) fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// The counts of what is registered by now.
    pub(crate) fn reloads(&self) -> Reloads {
        let of_each = self.watched.iter().map(|watched| watched.counts.clone()).collect();
        Reloads { of_each, asked: self.asked.clone() }
    }

    /// Watches until it is dropped. Reading blocks the thread.
    pub(crate) async fn run(mut self) {
        let mut looks = interval(PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = looks.tick() => false,
                () = self.asked.notified() => true,
            };
            for watched in &mut self.watched {
                watched.look(asked);
            }
        }
    }
}

impl Reloads {
    /// Has all files read at once, whether or not they have changed. Returns whether there are
    /// any.
    pub(crate) fn ask(&self) -> bool {
        self.asked.notify_one();
        !self.of_each.is_empty()
    }

    /// The counts of each subject, in the order in which they were registered.
    pub(crate) fn of_each(&self) -> impl Iterator<Item = &Counts> {
        self.of_each.iter().map(|counts| &**counts)
    }
}

impl Counts {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            ok: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
        }
    }

    /// How often a new content was put to use.
    pub(crate) fn ok(&self) -> u64 {
        self.ok.load(Ordering::Relaxed)
    }

    /// How often a content was reported that cannot be used.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether the last content that was reported cannot be used; an older one is in use.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

impl Watched {
    fn look(&mut self, asked: bool) {
        let contents = self.contents();
        let is_new = self.handled.as_ref() != Some(&contents);
        if !asked && !is_new && self.unusable.is_none() {
            return;
        }
        match self.read(contents) {
            Ok(change) => self.report_use(change, asked),
            Err(problem) => {
                let since = *self.unusable.get_or_insert_with(Instant::now);
                if asked || since.elapsed() >= SETTLE {
                    self.report_failure(&problem);
                }
            }
        }
    }

    /// Reads the files, and again if they changed while they were read.
    fn read(&mut self, mut before: Vec<Content>) -> Outcome {
        let mut reads = 0;
        loop {
            // A panic of a parser is a file that cannot be used, and no reason to end.
            let outcome = catch_unwind(AssertUnwindSafe(&mut self.read))
                .unwrap_or_else(|_panic| Err("reading it panicked; report this".to_owned()));
            reads += 1;
            let after = if outcome.is_err() { self.contents() } else { before.clone() };
            if after == before || reads == READS {
                self.handled = Some(before);
                return outcome;
            }
            before = after;
        }
    }

    fn contents(&mut self) -> Vec<Content> {
        self.paths.iter_mut().map(Looked::content).collect()
    }

    fn report_use(&mut self, change: Change, asked: bool) {
        let Counts { name: file, ok, has_failed, .. } = &*self.counts;
        self.unusable = None;
        let had_failed = has_failed.swap(false, Ordering::Relaxed);
        if change == Change::Changed || had_failed {
            ok.fetch_add(1, Ordering::Relaxed);
            info!(file, paths = %self.shown(), "file read again; what it holds is in use");
        } else if asked {
            info!(file, paths = %self.shown(), "file read again; it has not changed");
        }
    }

    fn report_failure(&mut self, problem: &str) {
        let Counts { name: file, failed, has_failed, .. } = &*self.counts;
        self.unusable = None;
        has_failed.store(true, Ordering::Relaxed);
        failed.fetch_add(1, Ordering::Relaxed);
        error!(file, problem, "file changed and cannot be used; what it held before stays in use");
    }

    fn shown(&self) -> String {
        let shown: Vec<_> = self.paths.iter().map(Looked::shown).collect();
        shown.join(", ")
    }
}

#[cfg(test)]
mod tests;
