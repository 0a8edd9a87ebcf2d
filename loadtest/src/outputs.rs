//! What a run shows and writes. All are opened before the first request: a long run must not
//! end with the news that its result has no place.

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

    /// Writes what is written at the end. One that cannot be written takes none of the others
    /// with it; all faults, those of the run among them, make up one error.
    pub(crate) fn write(self, report: &Report) -> Result<(), Error> {
        let json = self.json.as_ref().map(|file| file.write_json(report));
        let html = self.html.as_ref().map(|file| file.write(html::page(report).as_bytes()));
        let files = [json, html].into_iter().flatten().map(|written| written.map_err(Error::from));
        let faults: Vec<_> = files
            .chain([self.watched.map_err(Error::from)])
            .filter_map(Result::err)
            .map(|fault| fault.to_string())
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(Error::Outputs(faults.join("; "))) }
    }
}
