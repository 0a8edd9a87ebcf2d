//! How a run ended, and what the process says about it: report, error line, exit code.

use std::{io::Write, time::Duration};

use crate::{
    engine::{Stopped, Tally},
    interrupt::INTERRUPTED,
    output_file::OutputError,
    outputs::Outputs,
    report::{Ending, Report, time},
    trace::TraceError,
};

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
    pub fn publish(self, out: &mut impl Write) -> Result<(), OutputError> {
        let files = self.outputs.write(&self.report);
        let table = write!(out, "{}", self.report).and_then(|()| out.flush());
        OutputError::join([files, OutputError::of_stdout(table)])
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
    /// So many values were read that may not be there.
    Violated(u64),
    /// A search found no rate at which its promise holds.
    NothingHeld {
        /// The lowest rate.
        rate: u64,
        /// Why not even that.
        why: String,
    },
    /// A search was broken off at a step of this rate, of which not one request was answered.
    NoAnswer(u64),
    /// A search ended at the most that this program can send: the lowest rate at which it slipped.
    GeneratorLimit(u64),
    /// It was stopped before its end.
    Stopped(Stopped),
    /// The trace could not be read to its end.
    TraceBroken(TraceError),
}

impl Verdict {
    /// Judges a course; `max_slip` is none in a closed loop. What spoils its figures comes
    /// before what they say.
    pub fn of(stopped: Option<Stopped>, max_slip: Option<Duration>, tally: &Tally) -> Self {
        let violations = tally.findings.iter().flat_map(|found| found.violations.values());
        let count = violations.map(|of| of.count).sum();
        let slip = Duration::from_nanos(tally.slip.value_at_quantile(0.99));
        match stopped {
            // Nothing that is wrong with a run is worse.
            _ if count > 0 => return Self::Violated(count),
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

    /// Exit code, severity and word in a report.
    fn row(&self) -> (u8, u8, Ending) {
        match self {
            Self::Clean => (0, 0, Ending::Completed),
            Self::SomeFailed { .. } | Self::NothingHeld { .. } => (1, 1, Ending::Completed),
            Self::AllFailed => (2, 2, Ending::Completed),
            Self::Slipped { .. } | Self::GeneratorLimit(_) => (1, 3, Ending::Completed),
            Self::Stopped(Stopped::TooManyInFlight) => (1, 4, Ending::TooManyInFlight),
            Self::Stopped(Stopped::FarBehind) => (1, 5, Ending::FarBehind),
            Self::TraceBroken(_) => (2, 6, Ending::TraceBroken),
            Self::NoAnswer(_) => (2, 6, Ending::NoAnswer),
            Self::Stopped(Stopped::Interrupted) => (INTERRUPTED, 7, Ending::Interrupted),
            Self::Violated(_) => (1, 8, Ending::Completed),
        }
    }

    /// What the process exits with.
    pub fn exit_code(&self) -> u8 {
        self.row().0
    }

    /// Which of several counts: the highest.
    pub(crate) fn severity(&self) -> u8 {
        self.row().1
    }

    /// The word for it in a report.
    pub fn ending(&self) -> Ending {
        self.row().2
    }

    /// Whether the requests were sent when they were planned.
    pub fn kept_up(&self) -> bool {
        !matches!(
            self,
            Self::Slipped { .. } | Self::GeneratorLimit(_) | Self::Stopped(Stopped::FarBehind)
        )
    }

    /// The error line, where the report does not say enough.
    pub fn complaint(&self) -> Option<String> {
        let behind = "the generator could not keep up, so the figures are not those of the rate \
                      that was asked for";
        match self {
            Self::Clean | Self::Stopped(Stopped::Interrupted) => None,
            Self::SomeFailed { failed, of } => Some(format!("{failed} of {of} requests failed")),
            Self::AllFailed => Some("every request failed".to_owned()),
            Self::Violated(count) => Some(format!(
                "{count} reads returned what may not be there; the report shows the first of each \
                 kind"
            )),
            Self::Slipped { slip, max } => {
                let slip = time(slip.as_secs_f64() * 1e6);
                Some(format!(
                    "{behind}: p99 of the slip is {slip}, above --max-slip {max:?}; a lower --rate, \
                     more --threads or a machine of its own help"
                ))
            }
            Self::NoAnswer(rate) => Some(format!(
                "broken off: not one request was answered at {rate}/s; is the server \
                 still there?"
            )),
            Self::NothingHeld { rate, why } => {
                Some(format!("the promise held at no rate, not even at {rate}/s: {why}"))
            }
            Self::GeneratorLimit(rate) => Some(format!(
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
