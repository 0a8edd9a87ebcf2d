//! A trace as a stream of accesses, in the order of its rows and in constant memory.
//! Knows which content an access gets; nothing of how accesses are issued.

mod arc;
mod cache2k;
mod cells;
mod clock;
mod columns;
mod compression;
mod detect;
mod error;
mod findings;
mod format;
mod input;
mod keys;
mod lines;
mod lirs;
mod made;
mod oracle;
mod records;
mod row;
mod source;
mod spread;
mod table;
mod time;
mod twitter;
mod verb;

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use self::{
    clock::Clock,
    source::{Course, Source},
};
pub use self::{
    columns::Columns,
    error::{Excerpt, Problem, TraceError},
    findings::{Findings, Odd, Oddity},
    format::Format,
    input::Meter,
    keys::Keys,
    made::{Make, Style},
    spread::Spread,
    time::TimeUnit,
};
use crate::access::{Access, Content};

/// How rows become accesses.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The format, or none to find it out.
    pub format: Option<Format>,
    /// Which column of a table is which, or none to ask its header.
    pub columns: Option<Columns>,
    /// What stands between the columns of a table, or none to find it out.
    pub delimiter: Option<u8>,
    /// What times count, or none for seconds and for what a header says.
    pub time_unit: Option<TimeUnit>,
    /// The longest time between two rows; beyond, the trace's time breaks off.
    pub max_gap: Duration,
    /// Whether rows that are broken are left out.
    pub skip_broken: bool,
    /// How keys are made.
    pub keys: Keys,
    /// What a read writes on a miss where the row does not say.
    pub fallback: Content,
}

impl Reading {
    /// The longest time between two rows, unless told otherwise.
    pub const MAX_GAP: Duration = Duration::from_secs(3600);

    /// Finds everything out by the file, and refuses what is broken.
    #[must_use]
    pub fn new(keys: Keys, fallback: Content) -> Self {
        Self {
            format: None,
            columns: None,
            delimiter: None,
            time_unit: None,
            max_gap: Self::MAX_GAP,
            skip_broken: false,
            keys,
            fallback,
        }
    }
}

/// The accesses of a trace, of one file or several. Ends after the first error.
pub struct Trace {
    source: Source,
    /// The files behind the one that is read.
    ahead: VecDeque<PathBuf>,
    reading: Reading,
    course: Course,
    meter: Meter,
    format: Format,
    columns: Option<String>,
    /// Read when the trace was opened, so that a wrong file is refused before a server
    /// is asked anything.
    first: Option<Access>,
    ended: bool,
}

impl Trace {
    /// Opens files that are one trace, in this order, and reads the first access of each. Of
    /// standard input (`-`) and of pipes behind the first file nothing is read yet.
    ///
    /// # Errors
    ///
    /// A file cannot be read, holds no access, or its header or first row is broken; or files
    /// are of different formats.
    pub fn open(paths: &[PathBuf], reading: Reading) -> Result<Self, TraceError> {
        let stdin = paths.iter().filter(|path| path.as_os_str() == input::STDIN);
        if stdin.count() > 1 {
            return Err(TraceError::in_file(Path::new(input::STDIN), Problem::StdinTwice));
        }
        let (first, ahead) = paths.split_first().expect("the command line asks for a trace");
        let meter = Meter::new(paths);
        let mut trace = Self::of_one(first, &reading, meter)?;
        for path in ahead {
            if input::opens_twice(path) {
                let probed = Self::of_one(path, &reading, Meter::new(&[path]))?;
                trace.compare(path, probed.format)?;
            } else if path.as_os_str() != input::STDIN && !path.exists() {
                let missing = io::Error::from(io::ErrorKind::NotFound);
                return Err(TraceError::in_file(path, Problem::Unopened(missing)));
            }
        }
        trace.ahead = ahead.iter().cloned().collect();
        Ok(trace)
    }

    fn of_one(path: &Path, reading: &Reading, meter: Meter) -> Result<Self, TraceError> {
        let source = Source::open(path, reading, &meter)?;
        let findings = Findings::default();
        findings.begin(path.to_owned(), 0);
        let clock = Clock::new(reading.max_gap);
        let course = Course { clock, findings, before: 0, tick: None };
        let (format, columns) = (source.format(), source.columns());
        let mut trace = Self {
            source,
            ahead: VecDeque::new(),
            reading: reading.clone(),
            course,
            meter,
            format,
            columns,
            first: None,
            ended: false,
        };
        trace.first = trace.source.next(&mut trace.course)?;
        if trace.first.is_some() {
            return Ok(trace);
        }
        let skipped = trace.course.findings.odd().skipped;
        Err(match skipped.first {
            None => trace.source.error(Problem::Empty),
            Some(first) => {
                let skipped = skipped.count;
                TraceError::in_file(path, Problem::AllSkipped { skipped, first })
            }
        })
    }

    /// Whether another file is of this trace's format.
    fn compare(&self, path: &Path, found: Format) -> Result<(), TraceError> {
        if found == self.format {
            return Ok(());
        }
        Err(TraceError::in_file(path, Problem::OtherFormat { found, first: self.format }))
    }

    /// The format given or found out.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The columns of a table, from left to right; none of another format.
    #[must_use]
    pub fn columns(&self) -> Option<&str> {
        self.columns.as_deref()
    }

    /// Whether the accesses have times.
    #[must_use]
    pub fn has_times(&self) -> bool {
        self.first.as_ref().is_some_and(|first| first.at.is_some())
    }

    /// How finely times are told: to the second, or by fractions of it.
    #[must_use]
    pub fn tick(&self) -> Duration {
        self.course.tick.unwrap_or(Duration::from_secs(1))
    }

    /// How far the files have been read.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// What is odd about the trace, as far as it was read.
    #[must_use]
    pub fn findings(&self) -> Findings {
        self.course.findings.clone()
    }

    fn read(&mut self) -> Result<Option<Access>, TraceError> {
        loop {
            if let Some(access) = self.source.next(&mut self.course)? {
                return Ok(Some(access));
            }
            let Some(path) = self.ahead.pop_front() else {
                return Ok(None);
            };
            self.course.before += self.source.number();
            self.source = Source::open(&path, &self.reading, &self.meter)?;
            self.compare(&path, self.source.format())?;
            self.course.findings.begin(path, self.course.before);
        }
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
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests;
