//! The files of a report: JSON for programs, HTML for people.

use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use thiserror::Error;

/// A file of a report cannot be written.
#[derive(Debug, Error)]
#[error("{option} {}: {error}", path.display())]
pub struct FileError {
    option: &'static str,
    path: PathBuf,
    error: io::Error,
}

/// A file for a result, opened before the run: a long one must not end with the news that its
/// result has no place.
pub(crate) struct ReportFile {
    option: &'static str,
    path: PathBuf,
    file: File,
    /// Whether it was made here, and holds nothing yet.
    is_empty: Cell<bool>,
}

impl ReportFile {
    /// Opens or makes the file that an option names.
    pub(crate) fn open(option: &'static str, path: &Path) -> Result<Self, FileError> {
        let path = path.to_owned();
        let is_empty = Cell::new(!path.exists());
        // What is in the file stays until there is something to replace it with.
        match OpenOptions::new().write(true).create(true).truncate(false).open(&path) {
            Ok(file) => Ok(Self { option, path, file, is_empty }),
            Err(error) => Err(FileError { option, path, error }),
        }
    }

    /// Puts a result into the place of what is there, as JSON.
    pub(crate) fn write_json(&self, result: &impl Serialize) -> Result<(), FileError> {
        let mut json =
            serde_json::to_vec_pretty(result).map_err(|error| self.error(error.into()))?;
        json.push(b'\n');
        self.write(&json)
    }

    /// Puts bytes into the place of what is there.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.is_empty.set(false);
        let write = || -> io::Result<()> {
            // A pipe or a device cannot be cut, and need not be.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            (&self.file).write_all(bytes)
        };
        write().map_err(|error| self.error(error))
    }

    fn error(&self, error: io::Error) -> FileError {
        FileError { option: self.option, path: self.path.clone(), error }
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        // A run that did not begin leaves no file that would look like a report.
        if self.is_empty.get() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
