//! How a run ended, and what the process says about it: report, error line, exit code.

use std::{
    io::{self, Write},
    time::Duration,
};

use hdrhistogram::Histogram;
use thiserror::Error;
use tiny_cache_client::transport::Failure;

use super::{control::Stopped, report::RunReport, tally::Tally};
use crate::{
    cli::{Pace, Target, TlsError},
    report::{JsonError, JsonFile},
    transport::Unreachable,
};

/// A run that began, with what there is to say about it.
pub struct RunOutcome {
    /// What the run saw.
    pub report: RunReport,
    /// How it ended.
    pub verdict: RunVerdict,
    pub(super) json: Option<JsonFile>,
}

impl RunOutcome {
    /// Writes the report: the table to `out` and, where asked for, the JSON file.
    ///
    /// # Errors
    ///
    /// One of them cannot be written. A reader of `out` that has left is no error.
    pub fn publish(&self, out: &mut impl Write) -> Result<(), RunError> {
        match write!(out, "{}", self.report).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(RunError::Output(error));
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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RunVerdict {
    /// Every request was answered.
    Clean,
    /// Some requests failed.
    SomeFailed,
    /// Not one request was answered.
    AllFailed,
    /// Requests were sent later than planned.
    Slipped {
        /// The slip's p99.
        slip: Duration,
        /// What it may be.
        max: Duration,
    },
    /// It was stopped before its end.
    Stopped(Stopped),
}

impl RunVerdict {
    /// Judges a run. What spoils its figures comes before what they say.
    #[must_use]
    pub fn of(stopped: Option<Stopped>, pace: Pace, tally: &Tally) -> Self {
        if let Some(stopped) = stopped {
            return Self::Stopped(stopped);
        }
        let failed = tally.failed();
        if failed > 0 && failed == tally.requests() + tally.fetches {
            return Self::AllFailed;
        }
        if let Pace::Open { max_slip: max, .. } = pace {
            let slip = p99(&tally.slip);
            if slip > max {
                return Self::Slipped { slip, max };
            }
        }
        if failed > 0 { Self::SomeFailed } else { Self::Clean }
    }

    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::SomeFailed
            | Self::Slipped { .. }
            | Self::Stopped(Stopped::TooManyInFlight | Stopped::FarBehind) => 1,
            Self::AllFailed => 2,
            Self::Stopped(Stopped::Interrupted) => 130,
        }
    }

    /// The error line, where the report does not say enough.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let behind = "the generator could not keep up, so the figures are not those of the rate \
                      that was asked for";
        match self {
            Self::Clean | Self::SomeFailed | Self::Stopped(Stopped::Interrupted) => None,
            Self::AllFailed => Some("every request failed".to_owned()),
            Self::Slipped { slip, max } => {
                Some(format!("{behind}: p99 of the slip is {slip:?}, above --max-slip {max:?}"))
            }
            Self::Stopped(Stopped::FarBehind) => {
                Some(format!("{behind}: it was broken off, seconds behind its plan"))
            }
            Self::Stopped(Stopped::TooManyInFlight) => Some(
                "broken off: more than --max-in-flight requests were under way; the server does \
                 not answer at the rate that was asked for"
                    .to_owned(),
            ),
        }
    }
}

fn p99(nanoseconds: &Histogram<u64>) -> Duration {
    Duration::from_nanos(nanoseconds.value_at_quantile(0.99))
}

/// Why a run did not begin, or its report could not be written.
#[derive(Debug, Error)]
pub enum RunError {
    /// An option that means nothing beside the rate.
    #[error("{option} is for {rate}")]
    Idle {
        /// The option.
        option: &'static str,
        /// What it is for.
        rate: &'static str,
    },
    /// Keys are too short for their number or too long for the server.
    #[error("--key-size {key_size} does not do: {keys} keys take {digits} to {longest} characters")]
    KeySize {
        /// What was asked for.
        key_size: usize,
        /// How many keys there are.
        keys: u64,
        /// Digits of the last one.
        digits: usize,
        /// Longest key that the server takes, in this namespace.
        longest: usize,
    },
    /// No key would be cold.
    #[error("a hot set takes 2 --keys or more")]
    HotKeys,
    /// A batch is beyond the wire's limit.
    #[error("--batch {batch} exceeds {} keys", tiny_cache_proto::codec::MAX_BATCH_ITEMS)]
    Batch {
        /// What was asked for.
        batch: usize,
    },
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
        target: Target,
        /// What became of the question.
        failure: Failure,
    },
    /// A write of the prefill failed.
    #[error("the prefill failed: {0}")]
    Prefill(String),
    /// The JSON report cannot be written.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The table cannot be written.
    #[error("cannot write the report: {0}")]
    Output(io::Error),
    /// The system gives no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Runtime(#[from] io::Error),
    /// Ctrl-C came first.
    #[error("interrupted before the run began")]
    Interrupted,
}

impl RunError {
    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Interrupted) { 130 } else { 2 }
    }
}
