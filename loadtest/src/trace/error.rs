//! What can be wrong with a trace file, said in one line with the path and, where
//! there is one, the line number.

use std::{
    borrow::Cow,
    fmt, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::access::ContentError;

/// A trace that is missing or broken.
#[derive(Debug, Error)]
#[error("{}: {}{problem}", path.display(), Place(*line))]
pub struct TraceError {
    path: PathBuf,
    line: Option<u64>,
    /// What is wrong there. Boxed: an error travels with every access that is read.
    pub problem: Box<Problem>,
}

impl TraceError {
    /// Puts a problem of the whole file into its place.
    #[must_use]
    pub fn in_file(path: &Path, problem: Problem) -> Self {
        Self { path: path.to_owned(), line: None, problem: Box::new(problem) }
    }

    /// Puts a problem of one line, counted from 1, into its place.
    #[must_use]
    pub fn at_line(path: &Path, line: u64, problem: Problem) -> Self {
        Self { path: path.to_owned(), line: Some(line), problem: Box::new(problem) }
    }

    /// The line that is broken, counted from 1; none when it is the file.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.line
    }
}

/// What is wrong with a trace, without the place.
#[derive(Debug, Error)]
pub enum Problem {
    /// The file cannot be opened.
    #[error("cannot be opened: {0}; expected a trace file")]
    Unopened(io::Error),
    /// The path names a directory.
    #[error("is a directory; expected a trace file")]
    Directory,
    /// The file is compressed in a way that is not read here.
    #[error("is {0} data; expected plain text or zstd")]
    Compressed(&'static str),
    /// Reading or decompressing stopped, as it does where zstd data were cut short.
    #[error("cannot be read: {0}; expected {1}")]
    Unread(io::Error, &'static str),
    /// There is no line but blank ones.
    #[error("no access in this file; expected at least one line of a trace")]
    Empty,
    /// Neither the name nor the first line tells the format.
    #[error(
        "{found} fits no format; expected an ARC line \"{}\", a twitter row \"{}\" or a CacheLib header with \"{}\", or say --format",
        super::arc::ROW,
        super::twitter::ROW,
        super::cachelib::NEEDED
    )]
    UnknownFormat {
        /// How the line begins.
        found: Excerpt,
    },
    /// The line does not end where a line of a trace would.
    #[error("longer than {} bytes; expected the text lines of a trace", super::lines::MAX_LINE)]
    LongLine,
    /// The line has too few or too many columns.
    #[error("{found} has {count} columns; expected \"{row}\"")]
    Columns {
        /// How the line begins.
        found: Excerpt,
        /// How many columns it has.
        count: usize,
        /// The columns that it should have.
        row: Cow<'static, str>,
    },
    /// A column is not what its place asks for.
    #[error("{column} is {found}; expected {expected} in \"{row}\"")]
    Column {
        /// The column's name.
        column: &'static str,
        /// How it begins.
        found: Excerpt,
        /// What it should be.
        expected: &'static str,
        /// The whole line's columns.
        row: Cow<'static, str>,
    },
    /// The header of a CacheLib trace does not name what its rows need.
    #[error(
        "header {found} lacks {}; expected the columns \"{}\" in any order",
        missing.join(", "),
        super::cachelib::NEEDED
    )]
    Header {
        /// How the line begins.
        found: Excerpt,
        /// The columns that it does not name.
        missing: Vec<&'static str>,
    },
    /// The last id of an ARC line does not fit 64 bits.
    #[error("ids {start} and the {count} from there exceed {}; expected ids of 64 bits", u64::MAX)]
    IdsOverflow {
        /// The first id.
        start: u64,
        /// How many ids.
        count: u64,
    },
    /// The key, its prefix and its namespace are longer than the server takes.
    #[error("key has {chars} characters, --key-prefix included; expected at most {limit}")]
    KeyTooLong {
        /// Its length with the prefix.
        chars: usize,
        /// What the server takes in this namespace.
        limit: usize,
    },
    /// The size or the ttl does not fit.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// The beginning of something found in a file, safe to print.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Excerpt(String);

impl Excerpt {
    /// Keeps the first 40 bytes and escapes what a terminal would act on.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        const KEPT: usize = 40;
        let kept = bytes.get(..KEPT).unwrap_or(bytes);
        let more = if kept.len() < bytes.len() { "..." } else { "" };
        Self(format!("\"{}{more}\"", kept.escape_ascii()))
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

struct Place(Option<u64>);

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(out, "line {line}: "))
    }
}
