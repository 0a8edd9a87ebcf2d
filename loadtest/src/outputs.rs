//! What a run shows and writes. All are opened before the first request: a long run must not end with
//! the news that its result has no place.

use std::path::PathBuf;

use crate::{
    cli::OutputArgs,
    error::Error,
    report::{Report, ReportFile, html},
    watch::{WatchError, Watchers},
};

/// What is written beside the table.
pub(crate) struct Outputs {
    json: Option<ReportFile>,
    html: Option<ReportFile>,
    /// Those who watch while the run lasts.
    pub(crate) watchers: Watchers,
    /// What became of them.
    pub(crate) watched: Result<(), WatchError>,
}

impl Outputs {
    /// Opens or makes the files.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, Error> {
        let open = |option, path: &Option<PathBuf>| {
            path.as_deref().map(|path| ReportFile::open(option, path)).transpose()
        };
        Ok(Self {
            json: open("--json", &args.json)?,
            html: open("--html", &args.html)?,
            watchers: Watchers::open(args)?,
            watched: Ok(()),
        })
    }

    /// Writes what is written at the end, and says what could not be written before.
    pub(crate) fn write(self, report: &Report) -> Result<(), Error> {
        if let Some(file) = &self.json {
            file.write_json(report)?;
        }
        if let Some(file) = &self.html {
            file.write(html::page(report).as_bytes())?;
        }
        Ok(self.watched?)
    }
}
