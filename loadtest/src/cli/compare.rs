//! The options of a comparison.

use std::path::PathBuf;

use clap::Args;

use super::parse::seed;
use crate::compare::Judging;

/// What the process says with its exit code.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  no metric is worse
  1  a metric is worse: its whole interval lies beyond --threshold
  2  wrong usage, a report that cannot be read, or none of the metrics has an interval";

const MORE: &str = "\
What is compared: answered requests/s, latency (response times where all reports have them,
else service times), the ratio of errors and of hits, and fetches of the origin; at each rate
where the reports have the same ones. The longest latency and the requests for each second of
the server's CPU time are shown, not judged: drawing seconds anew tells nothing of them.

One run on each side tells of these two runs and not of how runs differ. With several, runs
are drawn anew as well, and seconds within them (hierarchical bootstrap); five or more on
each side are worth having. A block is as long as the cube root of the run's seconds.

Each interval stands for itself: with ten metrics and a --threshold of 0, one of them may well
be worse by chance at a --confidence of 95.

Examples:
  tiny-cache-loadtest compare main.json branch.json
  tiny-cache-loadtest compare --before main-*.json --after branch-*.json --threshold 3%
";

/// Text below the long help.
pub(super) fn more() -> String {
    format!("{MORE}\n{EXIT_CODES}")
}

/// What a comparison can be told.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// Two reports, as --json wrote them: the one to compare with, and the one to judge
    #[arg(
        value_names = ["A.json", "B.json"],
        num_args = 2,
        required_unless_present_any = ["before", "after"]
    )]
    pub reports: Vec<PathBuf>,

    /// Reports to compare with, where there are several
    #[arg(
        long, value_name = "FILE", num_args = 1.., requires = "after", conflicts_with = "reports"
    )]
    pub before: Vec<PathBuf>,

    /// Reports to judge, where there are several
    #[arg(
        long, value_name = "FILE", num_args = 1.., requires = "before", conflicts_with = "reports"
    )]
    pub after: Vec<PathBuf>,

    /// Change from which on a metric is worse or better
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = threshold)]
    pub threshold: f64,

    /// Percentage of intervals that are to contain the true change
    #[arg(long, value_name = "PERCENT", default_value = "95", value_parser = confidence)]
    pub confidence: f64,

    /// How often seconds are drawn anew
    #[arg(
        long,
        value_name = "N",
        default_value = "2000",
        value_parser = clap::value_parser!(u32).range(100..=100_000)
    )]
    pub resamples: u32,

    /// Where random numbers begin
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub seed: u64,

    /// Write the comparison to a file as JSON as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl CompareArgs {
    /// The reports to compare with, and those to judge.
    pub fn sides(&self) -> [Vec<PathBuf>; 2] {
        match &self.reports[..] {
            [before, after] => [vec![before.clone()], vec![after.clone()]],
            _ => [self.before.clone(), self.after.clone()],
        }
    }

    /// How to judge them.
    pub fn judging(&self) -> Judging {
        let Self { confidence, threshold, resamples, seed, .. } = *self;
        Judging { confidence, threshold, resamples, seed }
    }
}

/// A part of a whole.
fn threshold(text: &str) -> Result<f64, &'static str> {
    match percentage(text) {
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("expected a percentage from 0% to 100%, such as 5%"),
    }
}

/// A part of a whole.
fn confidence(text: &str) -> Result<f64, &'static str> {
    match percentage(text) {
        Some(percent) if (50.0..=99.9).contains(&percent) => Ok(percent / 100.0),
        _ => Err("expected a percentage from 50 to 99.9, such as 95"),
    }
}

fn percentage(text: &str) -> Option<f64> {
    text.strip_suffix('%').unwrap_or(text).trim_end().parse().ok()
}
