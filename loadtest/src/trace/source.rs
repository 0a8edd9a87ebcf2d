//! Turns the lines or records of one file into accesses, one after the other, whatever the
//! format. What a line says is read by the format's own module.

use std::{
    io::{self, BufRead},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Findings, Format, Keys, Meter, Problem, Reading, TraceError, arc, cache2k,
    clock::Clock,
    detect, error,
    input::Input,
    lines::Lines,
    lirs, oracle,
    records::Records,
    row::{Name, Row},
    table::{Spec, Table},
    time::{Time, TimeUnit},
    twitter,
};
use crate::access::{Access, Content, Operation};

/// What goes on from one file of a trace to the next.
pub(super) struct Course {
    pub clock: Clock,
    pub findings: Findings,
    /// Lines or records of the files before.
    pub before: u64,
    /// How finely the first row that has a time tells it.
    pub tick: Option<Duration>,
}

/// The accesses of one file, as they are asked for.
pub(super) struct Source {
    path: PathBuf,
    format: Format,
    rows: Rows,
    reading: Reading,
    spec: Spec,
    rest: Rest,
}

/// What a file is cut into.
enum Rows {
    Lines {
        lines: Lines,
        syntax: Syntax,
        /// The current line was looked at and is yet to be read as a row.
        held: bool,
    },
    Records(Records, fn(&[u8], TimeUnit) -> Row<'static>),
}

/// How a line is read.
enum Syntax {
    Arc,
    Lirs,
    Twitter,
    Table(Table),
}

/// What a line says.
enum Said<'line> {
    Nothing,
    Ids(arc::Run),
    Row(Row<'line>),
}

/// What the last row stands for besides the accesses already given.
enum Rest {
    Nothing,
    Ids(arc::Run),
    Same { access: Access, times: u32 },
}

impl Source {
    /// Opens a file, finds its format out where none is given, and reads the header.
    ///
    /// # Errors
    ///
    /// The file cannot be read, its format is not known, or the header is broken.
    pub(super) fn open(path: &Path, reading: &Reading, meter: &Meter) -> Result<Self, TraceError> {
        let in_file = |problem| TraceError::in_file(path, problem);
        let mut input = Input::open(path, meter).map_err(in_file)?;
        let format = match reading.format {
            Some(format) => format,
            None if reading.columns.is_some() => Format::Csv,
            None => Self::detect(path, &mut input)?,
        };
        let records = |record, length, input| Rows::Records(Records::new(input, length), record);
        let rows = match format {
            Format::OracleGeneral => records(oracle::parse, oracle::RECORD, input),
            Format::Cache2k => records(|record, _| cache2k::parse(record), cache2k::RECORD, input),
            _ => Rows::Lines { lines: Lines::new(input), syntax: Syntax::Arc, held: false },
        };
        let mut source = Self {
            path: path.to_owned(),
            format,
            rows,
            reading: reading.clone(),
            spec: Spec { columns: reading.columns.clone(), delimiter: reading.delimiter },
            rest: Rest::Nothing,
        };
        source.begin().map_err(|problem| source.error(problem))?;
        Ok(source)
    }

    fn detect(path: &Path, input: &mut Input) -> Result<Format, TraceError> {
        let at_start = |problem| TraceError::at(path, "line", 1, problem);
        let expected = input.expected();
        let (head, whole) = input.head();
        if head.is_empty() && !whole {
            let unread = input.fill_buf().err().unwrap_or_else(|| io::Error::other("no data"));
            return Err(at_start(Problem::Unread(unread, expected)));
        }
        let number = head.iter().take_while(|byte| byte.is_ascii_whitespace());
        let number = number.filter(|&&byte| byte == b'\n').count() as u64 + 1;
        detect::detect(path, head, whole).map_err(|problem| match problem {
            Problem::Compressed(_) | Problem::Utf16 | Problem::UnknownBinary { .. } => {
                TraceError::in_file(path, problem)
            }
            problem => TraceError::at(path, "line", number, problem),
        })
    }

    /// Reads what stands before the first row.
    fn begin(&mut self) -> Result<(), Problem> {
        let Rows::Lines { lines, syntax, held } = &mut self.rows else { return Ok(()) };
        *syntax = match self.format {
            Format::Lirs => Syntax::Lirs,
            Format::Twitter => Syntax::Twitter,
            Format::Cachelib => loop {
                if !lines.advance()? {
                    return Err(Problem::Empty);
                }
                match Table::cachelib(lines.line()) {
                    Err(_) if lines.line().starts_with(b"#") => {}
                    table => break Syntax::Table(table?),
                }
            },
            Format::Csv => loop {
                if !lines.advance()? {
                    return Err(Problem::Empty);
                }
                match Table::begin(lines.line(), &self.spec) {
                    Err(_) if lines.line().starts_with(b"#") => {}
                    Ok((_, false)) if comment(lines.line()) => {}
                    begun => {
                        let (table, headed) = begun?;
                        *held = !headed;
                        break Syntax::Table(table);
                    }
                }
            },
            _ => Syntax::Arc,
        };
        Ok(())
    }

    /// The format given or found out.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// The columns of a table.
    pub(super) fn columns(&self) -> Option<String> {
        match &self.rows {
            Rows::Lines { syntax: Syntax::Table(table), .. } => Some(table.columns()),
            _ => None,
        }
    }

    /// Lines or records read.
    pub(super) fn number(&self) -> u64 {
        match &self.rows {
            Rows::Lines { lines, .. } => lines.number(),
            Rows::Records(records, _) => records.number(),
        }
    }

    /// The next access; none at the end.
    ///
    /// # Errors
    ///
    /// The row is broken and not to be left out, or the file cannot be read on.
    pub(super) fn next(&mut self, course: &mut Course) -> Result<Option<Access>, TraceError> {
        loop {
            match self.access(course) {
                Err(problem) if self.reading.skip_broken && problem.is_of_a_row() => {
                    course.findings.skip(&self.error(problem));
                }
                next => return next.map_err(|problem| self.error(problem).with_remedy()),
            }
        }
    }

    /// Puts a problem into its place: the row read last.
    pub(super) fn error(&self, problem: Problem) -> TraceError {
        TraceError::at(&self.path, self.noun(), self.number(), problem)
    }

    fn noun(&self) -> &'static str {
        match self.rows {
            Rows::Lines { .. } => "line",
            Rows::Records(..) => "record",
        }
    }

    fn access(&mut self, course: &mut Course) -> Result<Option<Access>, Problem> {
        loop {
            let number = course.before + self.number();
            let fallback = self.reading.fallback;
            if let Some(access) = self.rest.next(number, &self.reading.keys, fallback)? {
                return Ok(Some(access));
            }
            let Some(said) = self.rows.next(&self.spec, self.reading.time_unit)? else {
                return Ok(None);
            };
            let row = match said {
                Said::Nothing => continue,
                Said::Ids(run) => {
                    course.findings.row();
                    self.rest = Rest::Ids(run);
                    continue;
                }
                Said::Row(row) => row,
            };
            // What is not borrowed from the row has to be known before it.
            let key = self.reading.keys.key(&row.key, row.key_size)?;
            let operation = row.operation(fallback)?;
            let (time, times) = (row.time, row.times.get());
            let number = course.before + self.number();
            let place =
                || format!("{}: {} {}", error::shown(&self.path), self.noun(), self.number());
            if key.hashed {
                course.findings.hash(place);
            }
            let at = time
                .map(|time| {
                    let known_unit = self.reading.time_unit.is_some() || self.rows.has_unit();
                    course.at(time, known_unit, place)
                })
                .transpose()?;
            course.findings.row();
            let access = Access { line: number, at, key: key.text, operation };
            if times > 1 {
                self.rest = Rest::Same { access: access.clone(), times: times - 1 };
            }
            return Ok(Some(access));
        }
    }
}

impl Course {
    /// Takes the time of a row.
    fn at(
        &mut self,
        time: Time,
        known_unit: bool,
        place: impl FnOnce() -> String,
    ) -> Result<Duration, Problem> {
        if self.tick.is_none() {
            if let Some(likely) = TimeUnit::of_epoch(time.nanos).filter(|_| !known_unit) {
                let found = time.nanos / TimeUnit::Seconds.nanos();
                return Err(Problem::TimeUnit { found, likely });
            }
            self.tick = Some(time.tick);
        }
        let (at, leap) = self.clock.at(time);
        if let Some(leap) = leap {
            self.findings.leap(leap, place);
        }
        Ok(at)
    }
}

impl Rows {
    /// What the next row says; none at the end.
    fn next(&mut self, spec: &Spec, unit: Option<TimeUnit>) -> Result<Option<Said<'_>>, Problem> {
        match self {
            Self::Lines { lines, syntax, held } => {
                if !std::mem::take(held) && !lines.advance()? {
                    return Ok(None);
                }
                syntax.read(lines.line(), spec, unit).map(Some)
            }
            Self::Records(records, parse) => {
                if !records.advance()? {
                    return Ok(None);
                }
                let unit = unit.unwrap_or(TimeUnit::Seconds);
                Ok(Some(Said::Row(parse(records.record(), unit))))
            }
        }
    }

    fn has_unit(&self) -> bool {
        matches!(self, Self::Lines { syntax: Syntax::Table(table), .. } if table.has_unit())
    }
}

impl Syntax {
    /// Reads a line. One that begins with `#` and is no row is a comment.
    fn read<'line>(
        &mut self,
        line: &'line [u8],
        spec: &Spec,
        unit: Option<TimeUnit>,
    ) -> Result<Said<'line>, Problem> {
        if comment(line) {
            return Ok(Said::Nothing);
        }
        let said = match self {
            Self::Arc => arc::parse(line).map(Said::Ids),
            Self::Lirs => lirs::parse(line).map(|id| match id {
                Some(id) => Said::Row(Row::read(Name::Id(id))),
                None => Said::Nothing,
            }),
            Self::Twitter => {
                twitter::parse_in(line, unit.unwrap_or(TimeUnit::Seconds)).map(Said::Row)
            }
            Self::Table(table) if table.is(line) => Ok(Said::Nothing),
            Self::Table(table) => match table.row(line, unit) {
                Err(problem) => match table.changed(line, spec) {
                    Some(changed) => {
                        *table = changed;
                        Ok(Said::Nothing)
                    }
                    None => Err(problem),
                },
                row => row.map(Said::Row),
            },
        };
        match said {
            Err(_) if line.starts_with(b"#") => Ok(Said::Nothing),
            said => said,
        }
    }
}

/// Whether a line can be nothing but a comment.
fn comment(line: &[u8]) -> bool {
    matches!(line, [b'#', b' ' | b'\t' | b'#', ..] | b"#")
}

impl Rest {
    fn next(
        &mut self,
        line: u64,
        keys: &Keys,
        fallback: Content,
    ) -> Result<Option<Access>, Problem> {
        match self {
            Self::Ids(run) => {
                let Some(id) = run.next() else {
                    return Ok(None);
                };
                let key = match keys.key(id, None) {
                    Ok(key) => key.text,
                    // The others of this line are as long.
                    Err(problem) => {
                        *self = Self::Nothing;
                        return Err(problem);
                    }
                };
                let operation = Operation::Read(fallback);
                Ok(Some(Access { line, at: None, key, operation }))
            }
            Self::Same { access, times } if *times > 0 => {
                *times -= 1;
                Ok(Some(access.clone()))
            }
            Self::Same { .. } | Self::Nothing => Ok(None),
        }
    }
}
