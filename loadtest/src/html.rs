//! The command `html`: draws an earlier report.

use std::{fs, path::Path};

use crate::{error::Error, report};

/// Draws a report into a file, by default beside it; returns the page if `output` is `-`.
///
/// # Errors
///
/// The report cannot be read, or the page cannot be written.
pub fn draw(report: &Path, output: Option<&Path>) -> Result<Option<String>, Error> {
    let path = output.map_or_else(|| report.with_extension("html"), Path::to_owned);
    if path == report {
        return Err(Error::SameFile(path));
    }
    let page = report::html::page(&report::read(report)?);
    if path == Path::new("-") {
        return Ok(Some(page));
    }
    match fs::write(&path, page) {
        Ok(()) => Ok(None),
        Err(error) => Err(Error::Unwritable { to: path, error }),
    }
}
