//! Rows of a table: CSV files and their like, and the key-value traces of CacheLib's cachebench,
//! which are such files. Knows rows below a header that [`super::header`] has read; which content a
//! row leads to is decided in [`super::row`].

use std::{borrow::Cow, num::NonZeroU32};

use strum::EnumCount;

use super::{
    cells::{Dialect, Quoting},
    columns::{Layout, Role},
    error::Problem,
    row::{self, Name, Row, Verb},
    time::{self, Time, TimeUnit},
};

/// Bytes of a header shown in an error. The trace `kvcache/202401` has one of 72.
const SHOWN: usize = 120;

/// The cells of a row by their roles.
type Cells<'line> = [Option<Cow<'line, [u8]>>; Role::COUNT];

/// Which column stands where, and how rows are cut.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub layout: Layout,
    pub dialect: Dialect,
    /// The header; none in a file that has none.
    pub header: Option<Vec<u8>>,
    /// Whether a row may not have more columns than there are names.
    pub closed: bool,
}

impl Table {
    /// Whether a line is this header once more, as it is where the files of one trace were
    /// put one after the other.
    pub(super) fn is(&self, line: &[u8]) -> bool {
        self.header.as_deref() == Some(line)
    }

    /// Reads a row. One may end early, before columns that are not needed.
    ///
    /// # Errors
    ///
    /// A column that is needed is missing, a column is not what its place asks for, or the
    /// key is empty or not UTF-8.
    pub(super) fn row<'line>(
        &self,
        line: &'line [u8],
        unit: Option<TimeUnit>,
    ) -> Result<Row<'line>, Problem> {
        let mut cells = self.cut(line)?;
        let unit = unit.or(self.layout.unit).unwrap_or(TimeUnit::Seconds);
        let whole = |role, expected| self.cell(&cells, role, expected, row::whole);
        Ok(Row {
            // Every row has a time or none has: a gap among them could not be replayed.
            time: self.cell(&cells, Role::Time, time::EXPECTED, |it| Time::parse(it, unit))?,
            key_size: whole(Role::KeySize, "whole bytes")?,
            value_size: whole(Role::Size, "whole bytes")?,
            verb: self.cell(&cells, Role::Op, row::VERBS, Verb::parse)?.unwrap_or(Verb::Read),
            times: self
                .cell(&cells, Role::OpCount, "a number from 1 to 4294967295", times)?
                .unwrap_or(NonZeroU32::MIN),
            ttl: self.cell(&cells, Role::Ttl, "whole seconds", row::ttl)?,
            key: self.key(cells[Role::Key as usize].take().unwrap_or_default())?,
        })
    }

    /// The cells of a row that have a role, those that it needs among them.
    fn cut<'line>(&self, line: &'line [u8]) -> Result<Cells<'line>, Problem> {
        let mut cells = Cells::default();
        let mut beyond = false;
        let count = self.dialect.cut(line, |at, cell| match self.layout.roles.get(at) {
            Some(Some(role)) => cells[*role as usize] = Some(cell),
            Some(None) => {}
            None => beyond |= !cell.is_empty(),
        })?;
        let needed = [Role::Time, Role::Key, Role::Op, Role::Size];
        let missing = |role: Role| self.layout.has(role) && cells[role as usize].is_none();
        if (beyond && self.closed) || needed.into_iter().any(missing) {
            return Err(Problem::columns(line, count, self.shown()));
        }
        Ok(cells)
    }

    /// Parses a cell; none if the row has no such cell, or if it may be empty and is.
    fn cell<T>(
        &self,
        cells: &Cells<'_>,
        role: Role,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(cell) = cells[role as usize].as_deref().map(<[u8]>::trim_ascii) else {
            return Ok(None);
        };
        let optional = match role {
            Role::OpCount | Role::Ttl | Role::KeySize => true,
            Role::Size => self.dialect.quoting == Quoting::Csv,
            Role::Time | Role::Key | Role::Op => false,
        };
        if cell.is_empty() && optional {
            return Ok(None);
        }
        parse(cell).map(Some).ok_or_else(|| self.not(role, cell, expected))
    }

    fn key<'line>(&self, cell: Cow<'line, [u8]>) -> Result<Name<'line>, Problem> {
        match cell {
            Cow::Borrowed(bytes) => row::key(bytes)
                .map(|key| Name::Text(Cow::Borrowed(key)))
                .map_err(|expected| self.not(Role::Key, bytes, expected)),
            Cow::Owned(bytes) => row::key(&bytes)
                .map(|key| Name::Text(Cow::Owned(key.to_owned())))
                .map_err(|expected| self.not(Role::Key, &bytes, expected)),
        }
    }

    /// The columns with what they have, for people.
    pub(super) fn columns(&self) -> String {
        let roles = self.layout.roles.iter().map(|role| role.map_or("-", Role::name));
        roles.collect::<Vec<_>>().join(",")
    }

    fn not(&self, role: Role, bytes: &[u8], expected: &'static str) -> Problem {
        let cachelib = self.dialect.quoting == Quoting::Cachebench;
        let column = if cachelib { role.name_in_cachelib() } else { role.name() };
        Problem::column(column, bytes, expected, self.shown())
    }

    fn shown(&self) -> String {
        self.header.as_ref().map_or_else(
            || self.columns(),
            |line| line[..line.len().min(SHOWN)].escape_ascii().to_string(),
        )
    }
}

fn times(count: &[u8]) -> Option<NonZeroU32> {
    u32::try_from(row::whole(count)?).ok().and_then(NonZeroU32::new)
}

#[cfg(test)]
mod tests;
