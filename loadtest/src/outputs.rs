//! The files of a run. All are opened before the first request: a long run must not end with
//! the news that its result has no place.

use std::path::PathBuf;

use crate::{
    cli::OutputArgs,
    error::Error,
    report::{Report, ReportFile, html},
};

/// What is written beside the table.
pub(crate) struct Outputs {
    json: Option<ReportFile>,
    html: Option<ReportFile>,
}

impl Outputs {
    /// Opens or makes the files.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, Error> {
        let open = |option, path: &Option<PathBuf>| {
            path.as_deref().map(|path| ReportFile::open(option, path)).transpose()
        };
        Ok(Self { json: open("--json", &args.json)?, html: open("--html", &args.html)? })
    }

    /// Writes what is written at the end.
    pub(crate) fn write(&self, report: &Report) -> Result<(), Error> {
        if let Some(file) = &self.json {
            file.write_json(report)?;
        }
        if let Some(file) = &self.html {
            file.write(html::page(report).as_bytes())?;
        }
        Ok(())
    }
}
