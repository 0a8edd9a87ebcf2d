//! How a run ended, and what the process says about it: report, error line, exit code.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::Tally;
use crate::{
    report::Report,
    trace::TraceError,
    transport::{CallError, Target, Unreachable},
};

/// A run that began, with what there is to say about it.
pub struct Outcome {
    /// What the run saw.
    pub report: Report,
    /// How it ended.
    pub verdict: Verdict,
    pub(super) json: Option<JsonFile>,
}

impl Outcome {
    /// Writes the report: the table to `out` and, where asked for, the JSON file.
    ///
    /// # Errors
    ///
    /// One of them cannot be written. A reader of `out` that has left is no error.
    pub fn publish(&self, out: &mut impl Write) -> Result<(), ReplayError> {
        match write!(out, "{}", self.report).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(ReplayError::Output(error));
            }
            _ => {}
        }
        self.json.as_ref().map_or(Ok(()), |file| file.write(&self.report))
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Verdict {
    /// Every request was answered.
    Clean,
    /// Some requests failed.
    SomeFailed,
    /// Not one request was answered.
    AllFailed,
    /// Ctrl-C came before the end.
    Interrupted,
    /// The trace could not be read to its end.
    TraceBroken(TraceError),
}

impl Verdict {
    /// Judges a run that came to the trace's end.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        match tally.failed() {
            0 => Self::Clean,
            failed if failed == tally.requests() => Self::AllFailed,
            _ => Self::SomeFailed,
        }
    }

    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::SomeFailed => 1,
            Self::AllFailed | Self::TraceBroken(_) => 2,
            Self::Interrupted => 130,
        }
    }
}

/// Why a run did not begin, or its report could not be written.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The trace is missing or broken at its beginning.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// No connection could be made.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// What listens there does not answer as a cache server would.
    #[error("{target} does not answer as a tiny-cache server: Stats: {error}")]
    Unfit {
        /// What was asked.
        target: Target,
        /// What came back.
        error: CallError,
    },
    /// The JSON report cannot be written.
    #[error("--json {}: {error}", path.display())]
    Json {
        /// Where it was to go.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The table cannot be written.
    #[error("cannot write the report: {0}")]
    Output(io::Error),
    /// The system gives no thread or no event queue.
    #[error("cannot start a replay thread: {0}")]
    Runtime(#[from] io::Error),
    /// Ctrl-C came first.
    #[error("interrupted before the replay began")]
    Interrupted,
}

impl ReplayError {
    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted => Verdict::Interrupted.exit_code(),
            Self::Trace(_)
            | Self::Unreachable(_)
            | Self::Unfit { .. }
            | Self::Json { .. }
            | Self::Output(_)
            | Self::Runtime(_) => 2,
        }
    }
}

/// The file for the JSON report, opened before the run: a long replay must not end with
/// the news that its result has no place.
pub(super) struct JsonFile {
    path: PathBuf,
    file: File,
}

impl JsonFile {
    pub(super) fn open(path: &Path) -> Result<Self, ReplayError> {
        let path = path.to_owned();
        // What is in the file stays until there is something to replace it with.
        match OpenOptions::new().write(true).create(true).truncate(false).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(ReplayError::Json { path, error }),
        }
    }

    fn write(&self, report: &Report) -> Result<(), ReplayError> {
        let write = || -> io::Result<()> {
            let mut json = serde_json::to_vec_pretty(report)?;
            json.push(b'\n');
            // A pipe or a device cannot be cut, and need not be.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            (&self.file).write_all(&json)
        };
        write().map_err(|error| ReplayError::Json { path: self.path.clone(), error })
    }
}
