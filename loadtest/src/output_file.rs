//! A file that an option names: opened before the run, so that a long one does not end with a
//! result that has no place, and replaced once there is a result.

use std::{
    cell::Cell,
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use thiserror::Error;

use crate::{console::written, json::Lines};

/// Bytes of a result that are written at once.
const BUFFER: usize = 64 << 10;

/// What cannot be written or served, each with its option; several in one line.
#[derive(Debug, Error)]
#[error("{}", .0.join("; "))]
pub struct OutputError(Vec<String>);

impl OutputError {
    /// What an option asks for at `place` failed.
    pub(crate) fn new(option: &str, place: impl Display, error: impl Display) -> Self {
        Self(vec![format!("{option} {place}: {error}")])
    }

    /// Makes one error of all that failed.
    pub(crate) fn join(results: impl IntoIterator<Item = Result<(), Self>>) -> Result<(), Self> {
        let faults: Vec<_> =
            results.into_iter().filter_map(Result::err).flat_map(|Self(faults)| faults).collect();
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }
}

impl OutputError {
    /// Judges what was printed to stdout.
    ///
    /// # Errors
    ///
    /// It was not. A reader that has left is no error.
    pub fn of_stdout(printed: io::Result<()>) -> Result<(), Self> {
        written(printed).map_err(|error| format!("cannot write the report: {error}").into())
    }
}

impl From<String> for OutputError {
    fn from(fault: String) -> Self {
        Self(vec![fault])
    }
}

/// An open file that keeps its content until it is replaced.
pub(crate) struct OutputFile {
    option: &'static str,
    path: PathBuf,
    file: File,
}

impl OutputFile {
    /// Opens or makes the file that an option names.
    pub(crate) fn open(option: &'static str, path: &Path) -> Result<Self, OutputError> {
        match OpenOptions::new().write(true).create(true).truncate(false).open(path) {
            Ok(file) => Ok(Self { option, path: path.to_owned(), file }),
            Err(error) => Err(OutputError::new(option, path.display(), error)),
        }
    }

    /// Replaces the content by what `write` writes.
    pub(crate) fn replace(
        &self,
        write: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        // A pipe or a device cannot be cut, and need not be.
        let cut = || if self.file.metadata()?.is_file() { self.file.set_len(0) } else { Ok(()) };
        cut().and_then(|()| write(&self.file)).map_err(|error| self.error(error))
    }

    /// Puts the file's option and path before what went wrong.
    pub(crate) fn error(&self, error: impl Display) -> OutputError {
        OutputError::new(self.option, self.path.display(), error)
    }
}

/// The file of a result. One that was made here and never written is removed when this is
/// dropped: it would look like a result.
pub(crate) struct ResultFile {
    file: OutputFile,
    is_empty: Cell<bool>,
}

impl ResultFile {
    /// Opens or makes the file that an option names.
    pub(crate) fn open(option: &'static str, path: &Path) -> Result<Self, OutputError> {
        let is_empty = Cell::new(!path.exists());
        Ok(Self { file: OutputFile::open(option, path)?, is_empty })
    }

    /// Replaces the content by a result as JSON. It is written as it is serialized: the JSON
    /// of a long run as one string would take more memory than the run.
    pub(crate) fn write_json(&self, result: &impl Serialize) -> Result<(), OutputError> {
        self.replace(|file| {
            let mut file = BufWriter::with_capacity(BUFFER, file);
            Lines::write(&mut file, result)?;
            file.flush()
        })
    }

    /// Replaces the content by bytes.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.replace(|mut file| file.write_all(bytes))
    }

    fn replace(&self, write: impl FnOnce(&File) -> io::Result<()>) -> Result<(), OutputError> {
        self.is_empty.set(false);
        self.file.replace(write)
    }
}

impl Drop for ResultFile {
    fn drop(&mut self) {
        if self.is_empty.get() {
            let _ = fs::remove_file(&self.file.path);
        }
    }
}
