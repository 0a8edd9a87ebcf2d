//! The command `compare`: what changed between two reports, or two groups of them, with
//! bootstrap confidence intervals (B. Efron, "Bootstrap Methods: Another Look at the
//! Jackknife", Annals of Statistics 7, 1979).

mod bins; // quantiles of many histograms, weighted
mod bootstrap; // seconds drawn anew, in blocks
mod difference; // what else differs: settings, machine, version
mod metric; // what is compared, and which way is worse
mod part; // one rate, or the whole
mod read; // report files
mod sample; // what a side's runs add up to
mod table; // for people, in a terminal

use std::io::Write;

use serde::Serialize;

pub use self::{
    difference::Difference,
    metric::{Metric, Word},
    part::{Interval, Line, Part},
    read::ReadError,
};
use crate::{cli::CompareArgs, console::written, error::Error, report::ReportFile};

/// Seconds of each side below which an interval is likely too narrow.
const FEW_SECONDS: usize = 10;

/// Runs of each side below which the same is true of how runs vary.
const FEW_RUNS: usize = 5;

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The reports to compare with.
    pub before: Vec<String>,
    /// The reports that are judged.
    pub after: Vec<String>,
    /// Share of intervals that are to contain the true change, 0 to 1.
    pub confidence: f64,
    /// Relative change from which on a metric is worse or better.
    pub threshold: f64,
    /// How often seconds were drawn anew.
    pub resamples: u32,
    /// Where random numbers began.
    pub seed: u64,
    /// What else differs, the target excepted.
    pub differences: Vec<Difference>,
    /// What makes the figures less than they seem.
    pub warnings: Vec<String>,
    /// The metrics, at each rate or of the whole.
    pub parts: Vec<Part>,
}

/// How to draw seconds anew, and what to think of the outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judging {
    pub(crate) confidence: f64,
    pub(crate) threshold: f64,
    pub(crate) resamples: u32,
    pub(crate) seed: u64,
}

/// Compares what `args` name.
///
/// # Errors
///
/// A report cannot be read, or the comparison cannot be written to its file.
pub fn run(args: &CompareArgs) -> Result<Comparison, Error> {
    let file = args.json.as_deref().map(|path| ReportFile::open("--json", path)).transpose()?;
    let paths = args.sides();
    let mut sides = [Vec::new(), Vec::new()];
    for (side, paths) in sides.iter_mut().zip(&paths) {
        for path in paths {
            side.push(read::report(path)?);
        }
    }
    let judging = Judging {
        confidence: args.confidence,
        threshold: args.threshold,
        resamples: args.resamples,
        seed: args.seed,
    };
    let (parts, mut warnings) = part::parts(&sides, &judging);
    let names =
        paths.map(|paths| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>());
    for (names, reports) in names.iter().zip(&sides) {
        warnings.extend(names.iter().zip(reports).filter_map(difference::flaw));
    }
    warnings.extend(few_runs(&sides.each_ref().map(Vec::len)));
    let [before, after] = names;
    let comparison = Comparison {
        before,
        after,
        confidence: judging.confidence,
        threshold: judging.threshold,
        resamples: judging.resamples,
        seed: judging.seed,
        differences: difference::between(&sides),
        warnings,
        parts,
    };
    if let Some(file) = file {
        file.write_json(&comparison)?;
    }
    Ok(comparison)
}

fn few_runs(runs: &[usize; 2]) -> Option<String> {
    match runs {
        [1, 1] => Some(
            "one run on each side: the intervals tell of these two runs, not of how runs vary"
                .to_owned(),
        ),
        [before, after] if runs.iter().min() < Some(&FEW_RUNS) => Some(format!(
            "few runs, {before} before and {after} after: how runs vary is told from {FEW_RUNS} on \
             each side on, and intervals are likely too narrow"
        )),
        _ => None,
    }
}

impl Comparison {
    /// Every metric of every part.
    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.parts.iter().flat_map(|part| &part.lines)
    }

    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.lines().any(|line| line.word == Some(Word::Worse)) {
            1
        } else if self.lines().any(|line| line.word.is_some()) {
            0
        } else {
            2
        }
    }

    /// The error line, where the table does not say enough.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        (self.exit_code() == 2).then(|| {
            let why = self.lines().find_map(|line| line.unjudged.as_deref());
            let why = why.unwrap_or("the reports have no metric in common");
            format!("nothing can be judged: {why}")
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// It cannot be written. A reader of `out` that has left is no error.
    pub fn publish(&self, out: &mut impl Write) -> Result<(), Error> {
        let table = write!(out, "{self}").and_then(|()| out.flush());
        written(table).map_err(Error::Output)
    }
}

#[cfg(test)]
mod tests;
