//! The files of a run. All are opened before the first request: a long run must not end with
//! the news that its result has no place.

use crate::{
    cli::OutputArgs,
    error::Error,
    report::{Form, Report, ReportFile},
};

/// What is written beside the table.
pub(crate) struct Outputs {
    json: Option<ReportFile>,
    html: Option<ReportFile>,
}

impl Outputs {
    /// Opens or makes the files.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, Error> {
        Ok(Self {
            json: args
                .json
                .as_deref()
                .map(|path| ReportFile::open(Form::Json, path))
                .transpose()?,
            html: args
                .html
                .as_deref()
                .map(|path| ReportFile::open(Form::Html, path))
                .transpose()?,
        })
    }

    /// Writes what is written at the end.
    pub(crate) fn write(&self, report: &Report) -> Result<(), Error> {
        for file in [&self.json, &self.html].into_iter().flatten() {
            file.write(report)?;
        }
        Ok(())
    }
}
