//! The command `html`: draws an earlier report.

use std::{
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{cli::HtmlArgs, report};

/// Why an earlier report cannot be drawn.
#[derive(Debug, Error)]
pub enum HtmlError {
    /// There is no such file, or it cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// The file is something else.
    #[error("{} is not a report as --json writes it: {error}", path.display())]
    NoReport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The page would take the report's place.
    #[error("the page would replace the report {}; name another file with --output", path.display())]
    Same {
        /// The file.
        path: PathBuf,
    },
    /// The page has no place.
    #[error("cannot write {}: {error}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
}

/// Draws the report that `args` name into a file; gives the page back where it is for stdout.
///
/// # Errors
///
/// The report cannot be read, or the page not be written.
pub fn draw(args: &HtmlArgs) -> Result<Option<String>, HtmlError> {
    let path = || args.report.clone();
    let output = match &args.output {
        Some(output) => output.clone(),
        None => args.report.with_extension("html"),
    };
    if output == args.report {
        return Err(HtmlError::Same { path: path() });
    }
    let file =
        File::open(&args.report).map_err(|error| HtmlError::Unreadable { path: path(), error })?;
    let report = serde_json::from_reader(BufReader::new(file)).map_err(|error| {
        if error.is_io() {
            HtmlError::Unreadable { path: path(), error: error.into() }
        } else {
            HtmlError::NoReport { path: path(), error }
        }
    })?;
    let page = report::html::page(&report);
    if output == Path::new("-") {
        return Ok(Some(page));
    }
    match fs::write(&output, page) {
        Ok(()) => Ok(None),
        Err(error) => Err(HtmlError::Unwritable { path: output, error }),
    }
}
