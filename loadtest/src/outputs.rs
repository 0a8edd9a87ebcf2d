//! What a run shows and writes. All are opened before the first request: a long run must not end with
//! the news that its result has no place.

use crate::{
    cli::OutputArgs,
    error::Error,
    report::{JsonFile, Report},
    watch::{WatchError, Watchers},
};

/// What is written beside the table.
pub(crate) struct Outputs {
    json: Option<JsonFile>,
    /// Those who watch while the run lasts.
    pub(crate) watchers: Watchers,
    /// What became of them.
    pub(crate) watched: Result<(), WatchError>,
}

impl Outputs {
    /// Opens or makes the files.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, Error> {
        Ok(Self {
            json: args.json.as_deref().map(JsonFile::open).transpose()?,
            watchers: Watchers::open(args)?,
            watched: Ok(()),
        })
    }

    /// Writes what is written at the end, and says what could not be written before.
    pub(crate) fn write(self, report: &Report) -> Result<(), Error> {
        if let Some(file) = &self.json {
            file.write(report)?;
        }
        Ok(self.watched?)
    }
}
