//! Turns lines into accesses, one after the other, whatever the format. What a line says is
//! read by the format's own module.

use std::path::{Path, PathBuf};

use super::{
    Format, Keys, Problem, Reading, TraceError, arc, cachelib::Header, clock::Clock, lines::Lines,
    twitter,
};
use crate::access::{Access, Content, Operation};

/// The accesses of one file, as they are asked for.
pub(super) struct Source {
    path: PathBuf,
    lines: Lines,
    syntax: Syntax,
    keys: Keys,
    fallback: Content,
    clock: Clock,
    rest: Rest,
}

/// How a line is read.
enum Syntax {
    Arc,
    Twitter,
    Cachelib(Header),
}

/// What the last line stands for besides the accesses already given.
enum Rest {
    Nothing,
    Ids(arc::Run),
    Same { access: Access, times: u32 },
}

impl Source {
    /// Starts at the first line, and reads it where the format begins with a header.
    ///
    /// # Errors
    ///
    /// The header cannot be read or is broken.
    pub(super) fn new(
        path: &Path,
        lines: Lines,
        format: Format,
        reading: Reading,
    ) -> Result<Self, TraceError> {
        let Reading { keys, fallback, .. } = reading;
        let mut source = Self {
            path: path.to_owned(),
            lines,
            syntax: Syntax::Arc,
            keys,
            fallback,
            clock: Clock::default(),
            rest: Rest::Nothing,
        };
        source.syntax = match format {
            Format::Arc => Syntax::Arc,
            Format::Twitter => Syntax::Twitter,
            Format::Cachelib => {
                Syntax::Cachelib(source.header().map_err(|problem| source.error(problem))?)
            }
        };
        Ok(source)
    }

    /// The next access; none at the end.
    ///
    /// # Errors
    ///
    /// The line is broken, or the file cannot be read on.
    pub(super) fn next(&mut self) -> Result<Option<Access>, TraceError> {
        self.access().map_err(|problem| self.error(problem))
    }

    /// Puts a problem into its place: the line read last.
    pub(super) fn error(&self, problem: Problem) -> TraceError {
        TraceError::at_line(&self.path, self.lines.number(), problem)
    }

    fn header(&mut self) -> Result<Header, Problem> {
        self.lines.next()?.map_or(Err(Problem::Empty), Header::parse)
    }

    fn access(&mut self) -> Result<Option<Access>, Problem> {
        loop {
            if let Some(access) = self.more_of_the_line()? {
                return Ok(Some(access));
            }
            let Some(line) = self.lines.next()? else {
                return Ok(None);
            };
            let row = match &self.syntax {
                Syntax::Arc => {
                    self.rest = Rest::Ids(arc::parse(line)?);
                    continue;
                }
                Syntax::Cachelib(header) if header.is(line) => continue,
                Syntax::Cachelib(header) => header.row(line)?,
                Syntax::Twitter => twitter::parse(line)?,
            };
            let times = row.times.get();
            let at = row.seconds.map(|seconds| self.clock.at(seconds));
            let key = self.keys.key(row.key)?;
            let operation = row.operation(self.fallback)?;
            let access = Access { line: self.lines.number(), at, key, operation };
            if times > 1 {
                self.rest = Rest::Same { access: access.clone(), times: times - 1 };
            }
            return Ok(Some(access));
        }
    }

    fn more_of_the_line(&mut self) -> Result<Option<Access>, Problem> {
        match &mut self.rest {
            Rest::Ids(run) => {
                let Some(id) = run.next() else {
                    return Ok(None);
                };
                let key = self.keys.key(id)?;
                let operation = Operation::Read(self.fallback);
                Ok(Some(Access { line: self.lines.number(), at: None, key, operation }))
            }
            Rest::Same { access, times } if *times > 0 => {
                *times -= 1;
                Ok(Some(access.clone()))
            }
            Rest::Same { .. } | Rest::Nothing => Ok(None),
        }
    }
}
