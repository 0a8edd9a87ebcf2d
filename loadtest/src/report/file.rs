//! The files of a report: JSON for programs, HTML for people.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{Report, html};

/// A file of a report cannot be written.
#[derive(Debug, Error)]
#[error("{option} {}: {error}", path.display())]
pub struct FileError {
    option: &'static str,
    path: PathBuf,
    error: io::Error,
}

/// The form of a report in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Json,
    Html,
}

impl Form {
    fn option(self) -> &'static str {
        match self {
            Self::Json => "--json",
            Self::Html => "--html",
        }
    }

    fn bytes(self, report: &Report) -> io::Result<Vec<u8>> {
        match self {
            Self::Json => {
                let mut json = serde_json::to_vec_pretty(report)?;
                json.push(b'\n');
                Ok(json)
            }
            Self::Html => Ok(html::page(report).into_bytes()),
        }
    }
}

/// A file for the report, opened before the run: a long replay must not end with the news
/// that its result has no place.
pub(crate) struct ReportFile {
    form: Form,
    path: PathBuf,
    file: File,
}

impl ReportFile {
    /// Opens or makes the file.
    pub(crate) fn open(form: Form, path: &Path) -> Result<Self, FileError> {
        let path = path.to_owned();
        // What is in the file stays until there is something to replace it with.
        match OpenOptions::new().write(true).create(true).truncate(false).open(&path) {
            Ok(file) => Ok(Self { form, path, file }),
            Err(error) => Err(FileError { option: form.option(), path, error }),
        }
    }

    /// Puts a report in the place of what is there.
    pub(crate) fn write(&self, report: &Report) -> Result<(), FileError> {
        let write = || -> io::Result<()> {
            let bytes = self.form.bytes(report)?;
            // A pipe or a device cannot be cut, and need not be.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            (&self.file).write_all(&bytes)
        };
        write().map_err(|error| FileError {
            option: self.form.option(),
            path: self.path.clone(),
            error,
        })
    }
}
