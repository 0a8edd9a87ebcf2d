//! The command `compare`: what changed between two reports, or two groups of them, with
//! bootstrap confidence intervals (B. Efron, "Bootstrap Methods: Another Look at the
//! Jackknife", Annals of Statistics 7, 1979).

mod comparison; // what changed, and the exit code that follows
mod part; // one rate, or the whole
mod sample; // what a side's runs add up to
mod bootstrap; // seconds drawn anew, in blocks
mod bins; // quantiles of many histograms, weighted
mod metric; // what is compared, and which way is worse
mod difference; // what else differs: settings, machine, version
mod table; // for people, in a terminal

use std::path::{Path, PathBuf};

pub use self::{
    comparison::Comparison,
    difference::Difference,
    metric::{Judging, Metric, Word},
    part::{Interval, Line, Part},
};
use crate::{error::Error, output_file::ResultFile, report};

/// Compares the reports of two sides, and writes the comparison to a file as JSON if asked to.
///
/// # Errors
///
/// A report cannot be read, or the file cannot be written.
pub fn run(
    paths: &[Vec<PathBuf>; 2],
    judging: Judging,
    json: Option<&Path>,
) -> Result<Comparison, Error> {
    let file = json.map(|path| ResultFile::open("--json", path)).transpose()?;
    let mut sides = [Vec::new(), Vec::new()];
    for (side, paths) in sides.iter_mut().zip(paths) {
        for path in paths {
            side.push(report::read(path)?);
        }
    }
    let names =
        paths.each_ref().map(|paths| paths.iter().map(|path| path.display().to_string()).collect());
    let comparison = Comparison::of(names, &sides, judging);
    if let Some(file) = file {
        file.write_json(&comparison)?;
    }
    Ok(comparison)
}

#[cfg(test)]
mod tests;
