//! Cuts a file into lines or records and reads each as a row, by the syntax of its format.

use super::{
    arc, cache2k,
    error::Problem,
    format::Format,
    header::Spec,
    input::Input,
    lines::Lines,
    lirs, oracle,
    records::Records,
    row::{Name, Row},
    table::Table,
    time::TimeUnit,
    twitter,
};

/// What a file is cut into.
pub(super) enum Rows {
    Lines {
        lines: Lines,
        syntax: Syntax,
        /// The current line was looked at and is yet to be read as a row.
        held: bool,
    },
    Records(Records, fn(&[u8], TimeUnit) -> Row<'static>),
}

/// How a line is read.
pub(super) enum Syntax {
    Arc,
    Lirs,
    Twitter,
    Table(Table),
}

/// What a line says.
pub(super) enum Said<'line> {
    Nothing,
    Ids(arc::Run),
    Row(Row<'line>),
}

impl Rows {
    /// Cuts `input` as its format asks.
    pub(super) fn new(format: Format, input: Input) -> Self {
        let syntax = match format {
            Format::OracleGeneral => {
                return Self::Records(Records::new(input, oracle::RECORD), oracle::parse);
            }
            Format::Cache2k => {
                let parse = |record: &[u8], _| cache2k::parse(record);
                return Self::Records(Records::new(input, cache2k::RECORD), parse);
            }
            Format::Lirs => Syntax::Lirs,
            Format::Twitter => Syntax::Twitter,
            // That of a table follows from its header.
            Format::Arc | Format::Cachelib | Format::Csv => Syntax::Arc,
        };
        Self::Lines { lines: Lines::new(input), syntax, held: false }
    }

    /// Reads what stands before the first row: the header of a table.
    ///
    /// # Errors
    ///
    /// There is no line, or the first one does not say which column is which.
    pub(super) fn begin(&mut self, format: Format, spec: &Spec) -> Result<(), Problem> {
        let Self::Lines { lines, syntax, held } = self else { return Ok(()) };
        if !matches!(format, Format::Cachelib | Format::Csv) {
            return Ok(());
        }
        loop {
            if !lines.advance()? {
                return Err(Problem::Empty);
            }
            let line = &lines.buffer;
            let begun = match format {
                Format::Cachelib => Table::cachelib(line).map(|table| (table, true)),
                _ => Table::begin(line, spec),
            };
            match begun {
                Err(_) if line.starts_with(b"#") => {}
                Ok((_, false)) if is_comment(line) => {}
                begun => {
                    let (table, headed) = begun?;
                    (*syntax, *held) = (Syntax::Table(table), !headed);
                    return Ok(());
                }
            }
        }
    }

    /// What the next row says; none at the end.
    pub(super) fn next(
        &mut self,
        spec: &Spec,
        unit: Option<TimeUnit>,
    ) -> Result<Option<Said<'_>>, Problem> {
        match self {
            Self::Lines { lines, syntax, held } => {
                if !std::mem::take(held) && !lines.advance()? {
                    return Ok(None);
                }
                syntax.read(&lines.buffer, spec, unit).map(Some)
            }
            Self::Records(records, parse) => {
                if !records.advance()? {
                    return Ok(None);
                }
                let unit = unit.unwrap_or(TimeUnit::Seconds);
                Ok(Some(Said::Row(parse(&records.buffer, unit))))
            }
        }
    }

    /// Lines or records read.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Lines { lines, .. } => lines.number,
            Self::Records(records, _) => records.number,
        }
    }

    /// What is counted.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Lines { .. } => "line",
            Self::Records(..) => "record",
        }
    }

    /// The table, if rows are those of one.
    pub(super) fn table(&self) -> Option<&Table> {
        match self {
            Self::Lines { syntax: Syntax::Table(table), .. } => Some(table),
            _ => None,
        }
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
        if is_comment(line) {
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
fn is_comment(line: &[u8]) -> bool {
    matches!(line, [b'#', b' ' | b'\t' | b'#', ..] | b"#")
}
