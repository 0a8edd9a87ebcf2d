//! How a run ended, and what the process says about it: report, error line, exit code.

use std::io::{self, Write};

use thiserror::Error;
use tiny_cache_client::{Address, transport::Failure};

use super::Tally;
use crate::{
    cli::TlsError,
    report::{JsonError, JsonFile, Report},
    trace::TraceError,
    transport::Unreachable,
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
        if let Some(file) = &self.json {
            file.write(&self.report)?;
        }
        Ok(())
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
    /// TLS cannot be spoken as asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No connection could be made.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// What listens there does not answer as a cache server would.
    #[error("{target} does not answer as a tiny-cache server: Stats: {}: {failure}", failure.name())]
    Unfit {
        /// What was asked.
        target: Address,
        /// What became of the question.
        failure: Failure,
    },
    /// The JSON report cannot be written.
    #[error(transparent)]
    Json(#[from] JsonError),
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
            | Self::Tls(_)
            | Self::Unreachable(_)
            | Self::Unfit { .. }
            | Self::Json(_)
            | Self::Output(_)
            | Self::Runtime(_) => 2,
        }
    }
}
