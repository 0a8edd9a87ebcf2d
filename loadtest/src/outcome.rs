//! How a run ended, and what the process says about it: report, error line, exit code.

use std::{io::Write, time::Duration};

use crate::{
    console::written,
    engine::{Stopped, Tally},
    error::Error,
    outputs::Outputs,
    report::{Ending, Report, time},
    trace::TraceError,
};

/// The exit code after Ctrl-C: 128 and the signal's number, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// A run that began, with what there is to say about it.
pub struct Outcome {
    /// What the run saw.
    pub report: Report,
    /// How it ended.
    pub verdict: Verdict,
    /// What else is to be known, that is not part of the report.
    pub warning: Option<String>,
    pub(crate) outputs: Outputs,
}

impl Outcome {
    /// Writes the report: the files that were asked for, and the table to `out`. Files come
    /// first, since a terminal may be gone; whatever cannot be written, the others are.
    ///
    /// # Errors
    ///
    /// One of them cannot be written. A reader of `out` that has left is no error.
    pub fn publish(self, out: &mut impl Write) -> Result<(), Error> {
        let files = self.outputs.write(&self.report);
        let table = write!(out, "{}", self.report).and_then(|()| out.flush());
        let table = written(table).map_err(Error::Output);
        match (files, table) {
            (Err(files), Err(table)) => Err(Error::Outputs(format!("{files}; {table}"))),
            (files, table) => files.and(table),
        }
    }
}

/// How a run ended.
#[derive(Debug, Default)]
pub enum Verdict {
    /// Every request was answered.
    #[default]
    Clean,
    /// Some requests failed.
    SomeFailed {
        /// How many, fills among them.
        failed: u64,
        /// Of how many.
        of: u64,
    },
    /// Not one request was answered.
    AllFailed,
    /// Requests were sent later than planned.
    Slipped {
        /// The slip's p99.
        slip: Duration,
        /// What it may be.
        max: Duration,
    },
    /// Values were read that may not be there.
    Violated {
        /// How many.
        count: u64,
    },
    /// A search found no rate at which its promise holds.
    NothingHeld {
        /// The lowest rate.
        rate: u64,
        /// Why not even that.
        why: String,
    },
    /// A search was broken off at a step of which not one request was answered.
    NoAnswer {
        /// The rate of the step.
        rate: u64,
    },
    /// A search ended at the most that this program can send.
    GeneratorLimit {
        /// The lowest rate at which it slipped.
        rate: u64,
    },
    /// It was stopped before its end.
    Stopped(Stopped),
    /// The trace could not be read to its end.
    TraceBroken(TraceError),
}

impl Verdict {
    /// Judges a course; `max_slip` is none in a closed loop. What spoils its figures comes
    /// before what they say.
    #[must_use]
    pub fn of(stopped: Option<Stopped>, max_slip: Option<Duration>, tally: &Tally) -> Self {
        let violations = tally.findings.iter().flat_map(|found| found.violations.values());
        let count = violations.map(|of| of.count).sum();
        let slip = Duration::from_nanos(tally.slip.value_at_quantile(0.99));
        match stopped {
            // Nothing that is wrong with a run is worse.
            _ if count > 0 => return Self::Violated { count },
            // A sender that is late has more under way than its plan: that is not the server's.
            Some(Stopped::TooManyInFlight) if max_slip.is_some_and(|max| slip > max) => {
                return Self::Stopped(Stopped::FarBehind);
            }
            Some(stopped) => return Self::Stopped(stopped),
            None => {}
        }
        let failed = tally.failed();
        if failed > 0 && failed == tally.rpcs() {
            return Self::AllFailed;
        }
        match max_slip {
            Some(max) if slip > max => Self::Slipped { slip, max },
            _ if failed > 0 => Self::SomeFailed { failed, of: tally.rpcs() },
            _ => Self::Clean,
        }
    }

    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::SomeFailed { .. }
            | Self::Slipped { .. }
            | Self::Violated { .. }
            | Self::NothingHeld { .. }
            | Self::GeneratorLimit { .. }
            | Self::Stopped(Stopped::TooManyInFlight | Stopped::FarBehind) => 1,
            Self::AllFailed | Self::TraceBroken(_) | Self::NoAnswer { .. } => 2,
            Self::Stopped(Stopped::Interrupted) => INTERRUPTED,
        }
    }

    /// Which of several counts: the highest.
    pub(crate) fn severity(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::SomeFailed { .. } | Self::NothingHeld { .. } => 1,
            Self::AllFailed => 2,
            Self::Slipped { .. } | Self::GeneratorLimit { .. } => 3,
            Self::Stopped(Stopped::TooManyInFlight) => 4,
            Self::Stopped(Stopped::FarBehind) => 5,
            Self::TraceBroken(_) | Self::NoAnswer { .. } => 6,
            Self::Stopped(Stopped::Interrupted) => 7,
            Self::Violated { .. } => 8,
        }
    }

    /// The word for it in a report.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self {
            Self::Clean
            | Self::SomeFailed { .. }
            | Self::AllFailed
            | Self::Slipped { .. }
            | Self::Violated { .. }
            | Self::NothingHeld { .. }
            | Self::GeneratorLimit { .. } => Ending::Completed,
            Self::NoAnswer { .. } => Ending::NoAnswer,
            Self::Stopped(Stopped::Interrupted) => Ending::Interrupted,
            Self::Stopped(Stopped::TooManyInFlight) => Ending::TooManyInFlight,
            Self::Stopped(Stopped::FarBehind) => Ending::FarBehind,
            Self::TraceBroken(_) => Ending::TraceBroken,
        }
    }

    /// Whether the requests were sent when they were planned.
    #[must_use]
    pub fn kept_up(&self) -> bool {
        !matches!(
            self,
            Self::Slipped { .. } | Self::GeneratorLimit { .. } | Self::Stopped(Stopped::FarBehind)
        )
    }

    /// The error line, where the report does not say enough.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let behind = "the generator could not keep up, so the figures are not those of the rate \
                      that was asked for";
        match self {
            Self::Clean | Self::Stopped(Stopped::Interrupted) => None,
            Self::SomeFailed { failed, of } => Some(format!("{failed} of {of} requests failed")),
            Self::AllFailed => Some("every request failed".to_owned()),
            Self::Violated { count } => Some(format!(
                "{count} reads returned what may not be there; the report shows the first of each \
                 kind"
            )),
            Self::Slipped { slip, max } => {
                let slip = time(slip.as_secs_f64() * 1e6);
                Some(format!("{behind}: p99 of the slip is {slip}, above --max-slip {max:?}"))
            }
            Self::NoAnswer { rate } => Some(format!(
                "broken off: not one request was answered at {rate}/s; is the server \
                 still there?"
            )),
            Self::NothingHeld { rate, why } => {
                Some(format!("the promise held at no rate, not even at {rate}/s: {why}"))
            }
            Self::GeneratorLimit { rate } => Some(format!(
                "the generator, not the server, was the limit at {rate}/s: what was found is a \
                 lower bound"
            )),
            Self::Stopped(Stopped::FarBehind) => {
                Some(format!("{behind}: it was broken off, far behind its plan"))
            }
            Self::Stopped(Stopped::TooManyInFlight) => Some(
                "broken off: more than --max-in-flight requests were under way; the server does \
                 not answer at the rate that was asked for"
                    .to_owned(),
            ),
            Self::TraceBroken(error) => Some(error.to_string()),
        }
    }
}
