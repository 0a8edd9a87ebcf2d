//! A trace as a stream of accesses, in the order of its lines and in constant memory.
//! Knows which content an access gets; nothing of how accesses are issued.

mod arc;
mod error;
mod input;
mod keys;
mod lines;
mod twitter;

use std::{ffi::OsStr, path::Path};

pub use self::{
    error::{Excerpt, Problem, TraceError},
    input::Meter,
    keys::Keys,
};
use self::{
    lines::Lines,
    twitter::{Row, Verb},
};
use crate::access::{self, Access, Content, Operation, ValueSize};

/// The formats that can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// `start count 0 n`, ids without sizes: the traces of the ARC paper.
    Arc,
    /// The rows of twitter/cache-trace.
    Twitter,
}

impl Format {
    /// The name to report, as `--format` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arc => "arc",
            Self::Twitter => "twitter",
        }
    }
}

/// How lines become accesses.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The format, or none to find it out.
    pub format: Option<Format>,
    /// How keys are made.
    pub keys: Keys,
    /// What a read writes on a miss where the line does not say.
    pub fallback: Content,
}

/// The accesses of one file. Ends after the first error.
pub struct Trace {
    source: Source,
    format: Format,
    meter: Meter,
    /// Read when the file was opened, so that a wrong file is refused before a server
    /// is asked anything.
    first: Option<Access>,
    ended: bool,
}

impl Trace {
    /// Opens a file and reads its first access.
    ///
    /// # Errors
    ///
    /// The file cannot be read, holds no access, or its first line is broken.
    pub fn open(path: &Path, reading: Reading) -> Result<Self, TraceError> {
        let (mut lines, meter) =
            input::open(path).map_err(|problem| TraceError::in_file(path, problem))?;
        let format = match reading.format {
            Some(format) => format,
            None => detect(path, &mut lines)
                .map_err(|problem| TraceError::at_line(path, lines.number(), problem))?,
        };
        let Reading { keys, fallback, .. } = reading;
        let path = path.to_owned();
        let mut source = Source { path, lines, keys, fallback, run: None };
        let first = source.next(format)?;
        if first.is_none() {
            return Err(source.error(Problem::Empty));
        }
        Ok(Self { source, format, meter, first, ended: false })
    }

    /// The format given or found out.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How far the file has been read.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }
}

impl Iterator for Trace {
    type Item = Result<Access, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        if self.ended {
            return None;
        }
        let next = self.source.next(self.format).transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

struct Source {
    path: std::path::PathBuf,
    lines: Lines,
    keys: Keys,
    fallback: Content,
    /// What is left of the last ARC line.
    run: Option<arc::Run>,
}

impl Source {
    fn next(&mut self, format: Format) -> Result<Option<Access>, TraceError> {
        let access = match format {
            Format::Arc => self.next_id(),
            Format::Twitter => self.next_row(),
        };
        access.map_err(|problem| self.error(problem))
    }

    fn next_id(&mut self) -> Result<Option<Access>, Problem> {
        loop {
            if let Some(id) = self.run.as_mut().and_then(Iterator::next) {
                return Ok(Some(Access {
                    line: self.lines.number(),
                    key: self.keys.key(id)?,
                    operation: Operation::Read(self.fallback),
                }));
            }
            match self.lines.next()? {
                Some(line) => self.run = Some(arc::parse(line)?),
                None => return Ok(None),
            }
        }
    }

    fn next_row(&mut self) -> Result<Option<Access>, Problem> {
        let Some(line) = self.lines.next()? else {
            return Ok(None);
        };
        let row = twitter::parse(line)?;
        let key = self.keys.key(row.key)?;
        let operation = operation(row, self.fallback)?;
        Ok(Some(Access { line: self.lines.number(), key, operation }))
    }

    fn error(&self, problem: Problem) -> TraceError {
        TraceError::at_line(&self.path, self.lines.number(), problem)
    }
}

/// Decides the content of a row. A read's row has no ttl, and no size where the
/// original cache missed: both are 0 there, and the fallback steps in. A write's 0 is
/// meant: an empty value, or one that never expires.
fn operation(row: Row<'_>, fallback: Content) -> Result<Operation, Problem> {
    let mut content = Content {
        size: ValueSize::from_bytes(row.value_size)?,
        ttl: access::ttl_of_seconds(row.ttl)?,
    };
    Ok(match row.verb {
        Verb::Read => {
            if row.value_size == 0 {
                content.size = fallback.size;
            }
            if row.ttl == 0 {
                content.ttl = fallback.ttl;
            }
            Operation::Read(content)
        }
        Verb::Write => Operation::Write(content),
        Verb::Delete => Operation::Delete,
    })
}

/// Finds the format out: by the name without `.zst`, then by the first line.
fn detect(path: &Path, lines: &mut Lines) -> Result<Format, Problem> {
    let is = |name: &Path, extension: &str| {
        name.extension()
            .and_then(OsStr::to_str)
            .is_some_and(|found| found.eq_ignore_ascii_case(extension))
    };
    let name = if is(path, "zst") { path.with_extension("") } else { path.to_owned() };
    if is(&name, "lis") {
        return Ok(Format::Arc);
    }
    if is(&name, "csv") {
        return Ok(Format::Twitter);
    }
    let Some(line) = lines.peek()? else {
        return Err(Problem::Empty);
    };
    if arc::parse(line).is_ok() {
        Ok(Format::Arc)
    } else if twitter::parse(line).is_ok() {
        Ok(Format::Twitter)
    } else {
        Err(Problem::UnknownFormat { found: Excerpt::of(line) })
    }
}

/// Reads a number of plain digits, as both formats have them.
fn number(digits: &[u8]) -> Option<u64> {
    // `parse` would take a plus sign.
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
