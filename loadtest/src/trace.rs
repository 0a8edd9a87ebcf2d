//! A trace as a stream of accesses, in the order of its lines and in constant memory.
//! Knows which content an access gets; nothing of how accesses are issued.

mod arc;
mod cachelib;
mod clock;
mod error;
mod format;
mod input;
mod keys;
mod lines;
mod row;
mod source;
mod spread;
mod twitter;

use std::path::Path;

use self::source::Source;
pub use self::{
    error::{Excerpt, Problem, TraceError},
    format::Format,
    input::Meter,
    keys::Keys,
    spread::Spread,
};
use crate::access::{Access, Content};

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
    /// The file cannot be read, holds no access, or its header or first row is broken.
    pub fn open(path: &Path, reading: Reading) -> Result<Self, TraceError> {
        let (mut lines, meter) =
            input::open(path).map_err(|problem| TraceError::in_file(path, problem))?;
        let format = match reading.format {
            Some(format) => format,
            None => Format::detect(path, &mut lines)
                .map_err(|problem| TraceError::at_line(path, lines.number(), problem))?,
        };
        let mut source = Source::new(path, lines, format, reading)?;
        let Some(first) = source.next()? else {
            return Err(source.error(Problem::Empty));
        };
        Ok(Self { source, format, meter, first: Some(first), ended: false })
    }

    /// The format given or found out.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether the accesses have times.
    #[must_use]
    pub fn has_times(&self) -> bool {
        self.first.as_ref().is_some_and(|first| first.at.is_some())
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
        let next = self.source.next().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests;
