//! Turns the lines or records of one file into accesses, one after the other, whatever the
//! format. What a line says is read by [`super::rows`].

use std::{
    io::{self, BufRead},
    path::{Path, PathBuf},
};

use super::{
    arc, detect,
    error::{Place, Problem, TraceError},
    format::Format,
    header::Spec,
    input::{Input, Meter},
    keys::Keys,
    reading::Reading,
    rows::{Rows, Said},
    state::TraceState,
};
use crate::access::{Access, Action, Content};

/// The accesses of one file, as they are asked for.
pub(super) struct Source {
    path: PathBuf,
    pub(super) format: Format,
    pub(super) rows: Rows,
    reading: Reading,
    spec: Spec,
    rest: Rest,
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
        let mut source = Self {
            path: path.to_owned(),
            format,
            rows: Rows::new(format, input),
            reading: reading.clone(),
            spec: Spec { columns: reading.columns.clone(), delimiter: reading.delimiter },
            rest: Rest::Nothing,
        };
        source.rows.begin(format, &source.spec).map_err(|problem| source.error(problem))?;
        Ok(source)
    }

    fn detect(path: &Path, input: &mut Input) -> Result<Format, TraceError> {
        if input.head.is_empty() && !input.is_whole {
            let error = input.stream.fill_buf().err();
            let unread = input.unread(error.unwrap_or_else(|| io::Error::other("no data")));
            return Err(TraceError::at(path, "line", 1, unread));
        }
        let blank = input.head.iter().take_while(|byte| byte.is_ascii_whitespace());
        let number = blank.filter(|&&byte| byte == b'\n').count() as u64 + 1;
        detect::detect(path, &input.head, input.is_whole).map_err(|problem| match problem {
            Problem::Compressed(_) | Problem::Utf16 | Problem::UnknownBinary(_) => {
                TraceError::in_file(path, problem)
            }
            problem => TraceError::at(path, "line", number, problem),
        })
    }

    /// The next access; none at the end.
    ///
    /// # Errors
    ///
    /// The row is broken and not to be left out, or the file cannot be read on.
    pub(super) fn next(&mut self, state: &mut TraceState) -> Result<Option<Access>, TraceError> {
        loop {
            match self.access(state) {
                Err(problem) if self.reading.skip_broken && problem.is_of_a_row() => {
                    state.findings.skip(&self.error(problem));
                }
                next => return next.map_err(|problem| self.error(problem).with_remedy()),
            }
        }
    }

    /// Puts a problem into its place: the row read last.
    pub(super) fn error(&self, problem: Problem) -> TraceError {
        TraceError::at(&self.path, self.rows.noun(), self.rows.number(), problem)
    }

    fn access(&mut self, state: &mut TraceState) -> Result<Option<Access>, Problem> {
        loop {
            let number = state.before + self.rows.number();
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
                    state.findings.row();
                    self.rest = Rest::Ids(run);
                    continue;
                }
                Said::Row(row) => row,
            };
            // What is not borrowed from the row has to be known before it.
            let key = self.reading.keys.key(&row.key, row.key_size)?;
            let action = row.action(fallback)?;
            let (time, times) = (row.time, row.times.get());
            let number = self.rows.number();
            let place = || {
                let place =
                    Place { path: &self.path, noun: self.rows.noun(), number: Some(number) };
                place.to_string()
            };
            if key.hashed {
                state.findings.hash(place);
            }
            let at = time
                .map(|time| {
                    let of_header = self.rows.table().and_then(|table| table.layout.unit);
                    let known_unit = self.reading.time_unit.or(of_header).is_some();
                    state.at(time, known_unit, place)
                })
                .transpose()?;
            state.findings.row();
            let line = state.before + number;
            let access = Access { line, at, key: key.text, action };
            if times > 1 {
                self.rest = Rest::Same { access: access.clone(), times: times - 1 };
            }
            return Ok(Some(access));
        }
    }
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
                let action = Action::Read(fallback);
                Ok(Some(Access { line, at: None, key, action }))
            }
            Self::Same { access, times } if *times > 0 => {
                *times -= 1;
                Ok(Some(access.clone()))
            }
            Self::Same { .. } | Self::Nothing => Ok(None),
        }
    }
}
