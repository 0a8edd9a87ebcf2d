//! The file of a JSON report.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use thiserror::Error;

/// The JSON report cannot be written.
#[derive(Debug, Error)]
#[error("--json {}: {error}", path.display())]
pub struct JsonError {
    path: PathBuf,
    error: io::Error,
}

/// The file for the JSON report, opened before the run: a long replay must not end with
/// the news that its result has no place.
pub(crate) struct JsonFile {
    path: PathBuf,
    file: File,
}

impl JsonFile {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path) -> Result<Self, JsonError> {
        let path = path.to_owned();
        // What is in the file stays until there is something to replace it with.
        match OpenOptions::new().write(true).create(true).truncate(false).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(JsonError { path, error }),
        }
    }

    /// Puts a report in the place of what is there.
    pub(crate) fn write(&self, report: &impl Serialize) -> Result<(), JsonError> {
        let write = || -> io::Result<()> {
            let mut json = serde_json::to_vec_pretty(report)?;
            json.push(b'\n');
            // A pipe or a device cannot be cut, and need not be.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            (&self.file).write_all(&json)
        };
        write().map_err(|error| JsonError { path: self.path.clone(), error })
    }
}
