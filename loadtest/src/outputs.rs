//! What a run shows and writes. All is opened before the first request, so that a long run does
//! not end with a result that has no place.

use std::path::Path;

use crate::{
    output_file::{OutputError, ResultFile},
    report::{Report, html},
    watch::{Wanted, Watchers},
};

/// What is written beside the table.
pub(crate) struct Outputs {
    json: Option<ResultFile>,
    html: Option<ResultFile>,
    /// What shows and writes figures while the run lasts.
    pub(crate) watchers: Watchers,
    /// What became of that.
    pub(crate) watched: Result<(), OutputError>,
}

impl Outputs {
    /// Opens or makes the files.
    pub(crate) fn open(wanted: &Wanted) -> Result<Self, OutputError> {
        let open = |option, path: Option<&Path>| {
            path.map(|path| ResultFile::open(option, path)).transpose()
        };
        Ok(Self {
            json: open("--json", wanted.json.as_deref())?,
            html: open("--html", wanted.html.as_deref())?,
            watchers: Watchers::open(wanted)?,
            watched: Ok(()),
        })
    }

    /// Writes the files of the report. One that cannot be written does not keep the others
    /// from being written; all faults, those of the run included, are one error.
    pub(crate) fn write(self, report: &Report) -> Result<(), OutputError> {
        let json = self.json.as_ref().map(|file| file.write_json(report));
        let html = self.html.as_ref().map(|file| file.write(html::page(report).as_bytes()));
        OutputError::join([json, html, Some(self.watched)].into_iter().flatten())
    }
}
