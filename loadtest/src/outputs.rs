//! The files of a run. All are opened before the first request: a long run must not end with
//! the news that its result has no place.

use crate::{
    cli::OutputArgs,
    error::Error,
    report::{JsonFile, Report},
};

/// What is written beside the table.
pub(crate) struct Outputs {
    json: Option<JsonFile>,
}

impl Outputs {
    /// Opens or makes the files.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, Error> {
        Ok(Self { json: args.json.as_deref().map(JsonFile::open).transpose()? })
    }

    /// Writes what is written at the end.
    pub(crate) fn write(&self, report: &Report) -> Result<(), Error> {
        if let Some(file) = &self.json {
            file.write(report)?;
        }
        Ok(())
    }
}
