//! What can be wrong with a trace file, said in one line with the path and, where
//! there is one, the line number.

use std::{
    borrow::Cow,
    fmt, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{format::Format, time::TimeUnit};
use crate::access::ContentError;

/// A trace that is missing or broken.
#[derive(Debug, Error)]
#[error("{}: {problem}{}", Place { path, noun, number: *number }, if *remedy { SKIP } else { "" })]
pub struct TraceError {
    path: PathBuf,
    /// The line or record, counted from 1; none for the whole file.
    pub number: Option<u64>,
    /// What is counted: lines or records.
    noun: &'static str,
    /// Whether rows that are broken could be left out, and are not.
    remedy: bool,
    /// What is wrong there. Boxed: an error travels with every access that is read.
    pub problem: Box<Problem>,
}

const SKIP: &str = "; --skip-broken leaves such rows out";

impl TraceError {
    /// Puts a problem of the whole file into its place.
    pub fn in_file(path: &Path, problem: Problem) -> Self {
        let (number, noun, remedy) = (None, "line", false);
        Self { path: path.to_owned(), number, noun, remedy, problem: Box::new(problem) }
    }

    /// Puts a problem into its place in a file: one of its lines or records, counted from 1.
    pub(super) fn at(path: &Path, noun: &'static str, number: u64, problem: Problem) -> Self {
        Self { number: Some(number.max(1)), noun, ..Self::in_file(path, problem) }
    }

    /// Names the option by which the row would have been left out.
    pub(super) fn with_remedy(self) -> Self {
        Self { remedy: self.problem.is_of_a_row(), ..self }
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
    #[error(
        "is {0} data; expected plain data, zstd, gzip, xz or lz4: unpack it, and replay - for \
         what comes from a pipe"
    )]
    Compressed(&'static str),
    /// The text is in another encoding.
    #[error("is UTF-16 text; expected UTF-8: iconv -f UTF-16 -t UTF-8 makes it that")]
    Utf16,
    /// Standard input is nothing but a keyboard.
    #[error("is a terminal; expected a trace from a pipe or a file")]
    Terminal,
    /// Standard input is named more than once.
    #[error("is named twice; expected - once")]
    StdinTwice,
    /// Reading or decompressing stopped, as it does where data were cut short.
    #[error("cannot be read: {0}; expected {1}")]
    Unread(io::Error, &'static str),
    /// There is no line but blank ones.
    #[error("no access in this file; expected at least one line of a trace")]
    Empty,
    /// There are rows, and all of them are broken.
    #[error("all {skipped} rows are broken, the first: {first}")]
    AllSkipped {
        /// How many.
        skipped: u64,
        /// What is wrong with the first one, with its place.
        first: String,
    },
    /// The first lines fit no format, or two; the text names them.
    #[error("{0}")]
    UnknownFormat(String),
    /// Binary data fit no format, or two; the text names them.
    #[error("{0}")]
    UnknownBinary(String),
    /// The files of one trace are of different formats.
    #[error("is {}, and the first file is {}; replay one after the other, or say --format", found.name(), first.name())]
    OtherFormat {
        /// This file's format.
        found: Format,
        /// The first file's.
        first: Format,
    },
    /// The times of a trace that should be seconds are far beyond them.
    #[error(
        "time {found} would be thousands of years ahead in seconds; say --time-unit {}, or s if \
         it is meant",
        likely.name()
    )]
    TimeUnit {
        /// The first time, in seconds.
        found: i128,
        /// The unit in which it would be near our time.
        likely: TimeUnit,
    },
    /// The input ends within a record.
    #[error("has {found} bytes, where the input ends; expected records of {expected} bytes")]
    CutRecord {
        /// Bytes that are there.
        found: usize,
        /// Bytes of a record.
        expected: usize,
    },
    /// The line is longer than the longest that is read.
    #[error("longer than {0} bytes; expected the text lines of a trace")]
    LongLine(usize),
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
    /// A cell begins with a quote and does not end with one.
    #[error(
        "the quote of {0} is not closed; expected one more, before a delimiter or the line's end"
    )]
    Quote(Excerpt),
    /// The header of a table, which begins so, names no key.
    #[error(
        "{0} names no key; expected a header with one, or name the columns: --columns \
         time,key,size,op,ttl"
    )]
    NoKey(Excerpt),
    /// The header of a table has no column of a name that was asked for.
    #[error("header {found} has no column \"{name}\"; expected a name of it in --columns")]
    NoColumn {
        /// How the line begins.
        found: Excerpt,
        /// What was asked for.
        name: String,
    },
    /// The header of a table contradicts what was asked for.
    #[error(
        "the header calls column {number} {found}, and --columns {role}; leave --columns out, or \
         name columns: --columns {role}=NAME"
    )]
    OtherColumn {
        /// The column, counted from 1.
        number: usize,
        /// Its name in the header.
        found: Excerpt,
        /// What it was called.
        role: &'static str,
    },
    /// The columns of a table could be cut in two ways.
    #[error(
        "{found} has as many columns with '{one}' as with '{other}' between them; say --delimiter"
    )]
    Delimiter {
        /// How the line begins.
        found: Excerpt,
        /// One.
        one: char,
        /// Another.
        other: char,
    },
    /// The header of a CacheLib trace does not name what its rows need.
    #[error(
        "header {found} lacks {}; expected the columns \"{needed}\" in any order",
        missing.join(", ")
    )]
    Header {
        /// How the line begins.
        found: Excerpt,
        /// The columns that it does not name.
        missing: Vec<&'static str>,
        /// All that rows need.
        needed: &'static str,
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
    #[error(
        "key has {chars} characters, --key-prefix included; expected at most {limit}, or say \
         --hash-long-keys"
    )]
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

/// The path that means standard input.
pub(super) const STDIN: &str = "-";

/// A file, or one of its lines or records: `t.csv: line 7`.
pub(super) struct Place<'a> {
    pub path: &'a Path,
    /// What is counted: lines or records.
    pub noun: &'a str,
    /// Counted from 1; none for the whole file.
    pub number: Option<u64>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_stdin = self.path.as_os_str() == STDIN;
        let path = if is_stdin { Path::new("standard input") } else { self.path };
        write!(out, "{}", path.display())?;
        self.number.map_or(Ok(()), |number| write!(out, ": {} {number}", self.noun))
    }
}

impl Problem {
    /// A line that has not the columns of `row`.
    pub(super) fn columns(line: &[u8], count: usize, row: impl Into<Cow<'static, str>>) -> Self {
        Self::Columns { found: Excerpt::of(line), count, row: row.into() }
    }

    /// A column of `row` that is not what its place asks for.
    pub(super) fn column(
        column: &'static str,
        found: &[u8],
        expected: &'static str,
        row: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Column { column, found: Excerpt::of(found), expected, row: row.into() }
    }

    /// Whether the row alone is broken, and what follows it may be read.
    pub(super) fn is_of_a_row(&self) -> bool {
        matches!(
            self,
            Self::LongLine(_)
                | Self::Columns { .. }
                | Self::Column { .. }
                | Self::Quote(_)
                | Self::CutRecord { .. }
                | Self::IdsOverflow { .. }
                | Self::KeyTooLong { .. }
                | Self::Content(_)
        )
    }
}
