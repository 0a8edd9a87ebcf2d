//! The files of a report: JSON for programs, HTML for people.

use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{
    Serializer,
    ser::{Formatter, PrettyFormatter},
};
use thiserror::Error;

/// Bytes of a report that are written at once.
const BUFFER: usize = 64 << 10;

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

    /// Replaces what is there by a result as JSON. It goes out as it is made: as a whole, the
    /// JSON of a long run would take more memory than the run.
    pub(crate) fn write_json(&self, result: &impl Serialize) -> Result<(), FileError> {
        self.replace(|file| {
            let mut file = BufWriter::with_capacity(BUFFER, file);
            let mut json = Serializer::with_formatter(&mut file, Lines::default());
            result.serialize(&mut json)?;
            file.write_all(b"\n")?;
            file.flush()
        })
    }

    /// Replaces what is there by bytes.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.replace(|mut file| file.write_all(bytes))
    }

    fn replace(&self, write: impl FnOnce(&File) -> io::Result<()>) -> Result<(), FileError> {
        self.is_empty.set(false);
        // A pipe or a device cannot be cut, and need not be.
        let cut = || if self.file.metadata()?.is_file() { self.file.set_len(0) } else { Ok(()) };
        cut().and_then(|()| write(&self.file)).map_err(|error| self.error(error))
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

/// JSON for people down to the third level, below which an object is one line: the seconds of a
/// run are as many lines.
#[derive(Default)]
struct Lines {
    pretty: PrettyFormatter<'static>,
    depth: usize,
}

/// Levels that have lines of their own.
const OPEN: usize = 2;

impl Lines {
    fn is_open(&self) -> bool {
        self.depth <= OPEN
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.is_open() { self.pretty.begin_array(out) } else { out.write_all(b"[") }
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth < OPEN { self.pretty.end_array(out) } else { out.write_all(b"]") }
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match (self.is_open(), first) {
            (true, _) => self.pretty.begin_array_value(out, first),
            (false, true) => Ok(()),
            (false, false) => out.write_all(b", "),
        }
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.is_open() { self.pretty.end_array_value(out) } else { Ok(()) }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.is_open() { self.pretty.begin_object(out) } else { out.write_all(b"{") }
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth < OPEN { self.pretty.end_object(out) } else { out.write_all(b"}") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match (self.is_open(), first) {
            (true, _) => self.pretty.begin_object_key(out, first),
            (false, true) => Ok(()),
            (false, false) => out.write_all(b", "),
        }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.is_open() { self.pretty.end_object_value(out) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_lies_deep_is_one_line_and_nothing_is_lost() {
        let value = json!({
            "empty": {}, "none": [], "settings": {"workload": {"keys": 1, "mix": {"get": 1}}},
            "seconds": [{"step": 0, "list": [1, 2, []]}, {"step": 1}],
        });
        let mut json = Vec::new();
        value.serialize(&mut Serializer::with_formatter(&mut json, Lines::default())).unwrap();
        let text = String::from_utf8(json).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        let expected = "\
{
  \"empty\": {},
  \"none\": [],
  \"seconds\": [
    {\"list\": [1, 2, []], \"step\": 0},
    {\"step\": 1}
  ],
  \"settings\": {
    \"workload\": {\"keys\": 1, \"mix\": {\"get\": 1}}
  }
}";
        assert_eq!(text, expected);
    }
}
