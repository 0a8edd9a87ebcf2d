//! The accesses of a trace, over all its files.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    clock::Clock,
    error::{Problem, STDIN, TraceError},
    findings::TraceFindings,
    format::Format,
    input::{self, Meter},
    reading::Reading,
    source::Source,
    state::TraceState,
    table::Table,
};
use crate::access::Access;

/// The accesses of a trace, of one file or several. Ends after the first error.
pub struct Trace {
    source: Source,
    /// The files behind the one that is read.
    ahead: VecDeque<PathBuf>,
    reading: Reading,
    state: TraceState,
    meter: Meter,
    /// Given, or detected in the first file.
    pub format: Format,
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
        let stdin = paths.iter().filter(|path| path.as_os_str() == STDIN);
        if stdin.count() > 1 {
            return Err(TraceError::in_file(Path::new(STDIN), Problem::StdinTwice));
        }
        let (first, ahead) = paths.split_first().expect("the command line asks for a trace");
        let meter = Meter::new(paths);
        let mut trace = Self::of_one(first, &reading, meter)?;
        for path in ahead {
            if input::opens_twice(path) {
                let probed = Self::of_one(path, &reading, Meter::new(&[path]))?;
                trace.compare(path, probed.format)?;
            } else if path.as_os_str() != STDIN && !path.exists() {
                let missing = io::Error::from(io::ErrorKind::NotFound);
                return Err(TraceError::in_file(path, Problem::Unopened(missing)));
            }
        }
        trace.ahead = ahead.iter().cloned().collect();
        Ok(trace)
    }

    fn of_one(path: &Path, reading: &Reading, meter: Meter) -> Result<Self, TraceError> {
        let source = Source::open(path, reading, &meter)?;
        let findings = TraceFindings::default();
        findings.begin(path.to_owned(), 0);
        let clock = Clock::new(reading.max_gap);
        let state = TraceState { clock, findings, before: 0, tick: None };
        let (format, columns) = (source.format, source.rows.table().map(Table::columns));
        let mut trace = Self {
            source,
            ahead: VecDeque::new(),
            reading: reading.clone(),
            state,
            meter,
            format,
            columns,
            first: None,
            ended: false,
        };
        trace.first = trace.source.next(&mut trace.state)?;
        if trace.first.is_some() {
            return Ok(trace);
        }
        let skipped = trace.state.findings.odd().skipped;
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

    /// The columns of a table, from left to right; none of another format.
    pub fn columns(&self) -> Option<&str> {
        self.columns.as_deref()
    }

    /// Whether the accesses have times.
    pub fn has_times(&self) -> bool {
        self.first.as_ref().is_some_and(|first| first.at.is_some())
    }

    /// The resolution of times: a second, or a fraction of it.
    pub fn tick(&self) -> Duration {
        self.state.tick.unwrap_or(Duration::from_secs(1))
    }

    /// How far the files have been read.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// What is odd about the trace, as far as it was read.
    pub fn findings(&self) -> TraceFindings {
        self.state.findings.clone()
    }

    fn read(&mut self) -> Result<Option<Access>, TraceError> {
        loop {
            if let Some(access) = self.source.next(&mut self.state)? {
                return Ok(Some(access));
            }
            let Some(path) = self.ahead.pop_front() else {
                return Ok(None);
            };
            self.state.before += self.source.rows.number();
            self.source = Source::open(&path, &self.reading, &self.meter)?;
            self.compare(&path, self.source.format)?;
            self.state.findings.begin(path, self.state.before);
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
