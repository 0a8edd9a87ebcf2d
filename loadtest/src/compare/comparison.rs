//! What changed between two sides, and what the process says about it.

use serde::Serialize;

use super::{
    difference::{self, Difference},
    metric::{Judging, Word},
    part::{self, Line, Part},
};
use crate::report::Report;

/// Runs of each side below which intervals likely understate how runs vary.
const FEW_RUNS: usize = 5;

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The reports to compare with.
    pub before: Vec<String>,
    /// The reports that are judged.
    pub after: Vec<String>,
    /// How changes were judged.
    #[serde(flatten)]
    pub judging: Judging,
    /// What else differs, except the target.
    pub differences: Vec<Difference>,
    /// What makes the figures less than they seem.
    pub warnings: Vec<String>,
    /// The metrics, at each rate or of the whole.
    pub parts: Vec<Part>,
}

impl Comparison {
    /// Compares two sides of named reports.
    pub(super) fn of(names: [Vec<String>; 2], sides: &[Vec<Report>; 2], judging: Judging) -> Self {
        let (parts, mut warnings) = part::parts(sides, &judging);
        for (names, reports) in names.iter().zip(sides) {
            warnings.extend(names.iter().zip(reports).filter_map(difference::flaw));
        }
        warnings.extend(few_runs(&sides.each_ref().map(Vec::len)));
        let [before, after] = names;
        let differences = difference::between(sides);
        Self { before, after, judging, differences, warnings, parts }
    }

    /// Every metric of every part.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.parts.iter().flat_map(|part| &part.lines)
    }

    /// What the process exits with.
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
    pub fn complaint(&self) -> Option<String> {
        (self.exit_code() == 2).then(|| {
            let why = self.lines().find_map(|line| line.unjudged.as_deref());
            let why = why.unwrap_or("the reports have no metric in common");
            format!("nothing can be judged: {why}")
        })
    }
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
