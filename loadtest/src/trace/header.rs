//! Headers of tables: which column is which, by their names or by `--columns`, and how rows are
//! cut. Rows are read by [`super::table`].
//!
//! CacheLib's are what cachebench's replay reads: `KVReplayGenerator.h` and
//! `ReplayGeneratorBase.h` in `cachelib/cachebench/workload` of
//! <https://github.com/facebook/CacheLib>. The traces are listed in
//! <https://cachelib.org/docs/Cache_Library_User_Guides/Cachebench_FB_HW_eval>.

use strum::IntoEnumIterator;

use super::{
    cells::{DELIMITERS, Dialect, Quoting},
    columns::{self, Choice, Column, Columns, Layout, Role},
    error::{Excerpt, Problem},
    table::Table,
};

/// The columns that the header of a CacheLib trace must have.
pub(super) const NEEDED: &str = "key,op,size";

/// How a file's rows are to be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    /// Which column is which, where the header is not to be asked.
    pub columns: Option<Columns>,
    /// What stands between columns; none to find it out.
    pub delimiter: Option<u8>,
}

impl Table {
    /// Reads the header of a CacheLib trace. Of columns with one name the first counts.
    ///
    /// # Errors
    ///
    /// A column that a row needs is not named.
    pub(super) fn cachelib(line: &[u8]) -> Result<Self, Problem> {
        let dialect = Dialect { delimiter: b',', quoting: Quoting::Cachebench };
        let names = dialect.names(line);
        let mut layout = Layout { roles: vec![None; names.len()], unit: None };
        for role in Role::iter() {
            let is = |name: &Vec<u8>| name.trim_ascii() == role.name_in_cachelib().as_bytes();
            if let Some(at) = names.iter().position(is) {
                layout.roles[at] = Some(role);
            }
        }
        let missing: Vec<_> = [Role::Key, Role::Op, Role::Size]
            .into_iter()
            .filter(|role| !layout.has(*role))
            .collect();
        if missing.is_empty() {
            return Ok(Self { layout, dialect, header: Some(line.to_vec()), closed: false });
        }
        let missing = missing.into_iter().map(Role::name).collect();
        Err(Problem::Header { found: Excerpt::of(line), missing, needed: NEEDED })
    }

    /// Whether a line is the header of a CacheLib trace, letter by letter, and not one that calls
    /// its times otherwise: quotes and blanks mean something to any other table.
    pub(super) fn is_cachelib(line: &[u8]) -> bool {
        if line.iter().any(|byte| matches!(byte, b' ' | b'"')) {
            return false;
        }
        let other_time = |table: &Self| {
            let named = Layout::of_names(&table.dialect.names(line));
            named.has(Role::Time) && !table.layout.has(Role::Time)
        };
        Self::cachelib(line).is_ok_and(|table| !other_time(&table))
    }

    /// Reads a header by the names that columns usually have; none if it names no key.
    pub(super) fn named(line: &[u8], delimiter: Option<u8>) -> Option<Self> {
        let delimiters =
            DELIMITERS.into_iter().filter(|known| delimiter.is_none_or(|it| it == *known));
        let table = |delimiter| {
            let dialect = Dialect { delimiter, quoting: Quoting::Csv };
            let layout = Layout::of_names(&dialect.names(line));
            Self { layout, dialect, header: Some(line.to_vec()), closed: true }
        };
        // Of equals the first, which max_by_key would give the last of.
        delimiters
            .chain(delimiter.filter(|it| !DELIMITERS.contains(it)))
            .map(table)
            .filter(|table| table.layout.has(Role::Key))
            .reduce(
                |best, next| if next.layout.known() > best.layout.known() { next } else { best },
            )
    }

    /// Reads the first line of a file, and says whether it is the header.
    ///
    /// # Errors
    ///
    /// The line does not say which column is which, or says something else than `spec`.
    pub(super) fn begin(line: &[u8], spec: &Spec) -> Result<(Self, bool), Problem> {
        match spec.columns.as_ref().map(|Columns(choice)| choice) {
            None => Self::named(line, spec.delimiter)
                .map(|table| (table, true))
                .ok_or_else(|| Problem::NoKey(Excerpt::of(line))),
            Some(Choice::Ordered(roles)) => Self::ordered(line, spec.delimiter, roles),
            Some(Choice::Picked(picked)) => Self::picked(line, spec.delimiter, picked),
        }
    }

    fn ordered(
        line: &[u8],
        delimiter: Option<u8>,
        roles: &[Option<Role>],
    ) -> Result<(Self, bool), Problem> {
        let dialect = delimited(line, delimiter, roles.len())?;
        let layout = Layout { roles: roles.to_vec(), unit: None };
        let mut table = Self { layout, dialect, header: None, closed: false };
        if !table.is_names(line) {
            return Ok((table, false));
        }
        let names = dialect.names(line);
        let named = Layout::of_names(&names);
        for (at, (name, role)) in named.roles.iter().zip(roles).enumerate() {
            if let (Some(name), Some(role)) = (name, role) {
                if name != role {
                    let found = Excerpt::of(&names[at]);
                    return Err(Problem::OtherColumn { number: at + 1, found, role: role.name() });
                }
                table.layout.unit = table.layout.unit.or(named.unit);
            }
        }
        table.header = Some(line.to_vec());
        Ok((table, true))
    }

    fn picked(
        line: &[u8],
        delimiter: Option<u8>,
        picked: &[(Role, Column)],
    ) -> Result<(Self, bool), Problem> {
        let last = picked.iter().map(|(_, column)| match column {
            Column::Number(number) => *number,
            Column::Name(_) => 1,
        });
        let dialect = delimited(line, delimiter, last.max().unwrap_or(1).max(picked.len()))?;
        let names = dialect.names(line);
        let mut table = Self { layout: Layout::default(), dialect, header: None, closed: false };
        let mut by_name = false;
        for (role, column) in picked {
            let at = match column {
                Column::Number(number) => number - 1,
                Column::Name(wanted) => {
                    by_name = true;
                    let is = |name: &Vec<u8>| name.eq_ignore_ascii_case(wanted.as_bytes());
                    names.iter().position(is).ok_or_else(|| Problem::NoColumn {
                        found: Excerpt::of(line),
                        name: wanted.clone(),
                    })?
                }
            };
            let needed = table.layout.roles.len().max(at + 1);
            table.layout.roles.resize(needed, None);
            table.layout.roles[at] = Some(*role);
        }
        let headed = by_name || table.is_names(line);
        table.header = headed.then(|| line.to_vec());
        Ok((table, headed))
    }

    /// Whether a line where a row may stand has names: where numbers have to be there are
    /// words without a digit, or where no number has to be, the usual name of a key.
    fn is_names(&self, line: &[u8]) -> bool {
        let (mut numbers, mut words, mut key) = (0, 0, false);
        let cut = self.dialect.cut(line, |at, cell| match self.layout.roles.get(at) {
            Some(Some(role)) if role.is_number() && !cell.is_empty() => {
                numbers += 1;
                words += usize::from(!cell.iter().any(u8::is_ascii_digit));
            }
            Some(Some(Role::Key)) => key = columns::names(&cell, Role::Key),
            _ => {}
        });
        cut.is_ok() && numbers == words && (numbers > 0 || key)
    }

    /// The table below a line that is no row of this one but another header, as it is where
    /// files with other columns were put one after the other.
    pub(super) fn changed(&self, line: &[u8], spec: &Spec) -> Option<Self> {
        self.header.as_ref()?;
        if self.dialect.quoting == Quoting::Cachebench {
            return Self::cachelib(line).ok();
        }
        let table = match &spec.columns {
            None => Self::named(line, spec.delimiter)?,
            Some(_) => Self::begin(line, spec).ok().filter(|(_, headed)| *headed)?.0,
        };
        // The key alone is named by many a broken row.
        (table.layout.known() > 1).then_some(table)
    }
}

impl Dialect {
    fn names(self, line: &[u8]) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        let cut = self.cut(line, |_, cell| names.push(cell.into_owned()));
        if cut.is_ok() { names } else { Vec::new() }
    }
}

/// Finds how to cut a line into this many columns.
fn delimited(line: &[u8], delimiter: Option<u8>, columns: usize) -> Result<Dialect, Problem> {
    let dialect = |delimiter| Dialect { delimiter, quoting: Quoting::Csv };
    if let Some(delimiter) = delimiter {
        return Ok(dialect(delimiter));
    }
    if columns == 1 {
        return Ok(dialect(b','));
    }
    let fits = |exactly: bool| {
        let of = move |count: usize| if exactly { count == columns } else { count > columns };
        DELIMITERS.into_iter().map(dialect).filter(move |it| of(it.count(line)))
    };
    let mut found = fits(true);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => Err(Problem::Delimiter {
            found: Excerpt::of(line),
            one: one.delimiter.into(),
            other: other.delimiter.into(),
        }),
        (None, _) => fits(false).next().ok_or_else(|| {
            let row = format!("{columns} columns of --columns");
            Problem::columns(line, dialect(b',').count(line), row)
        }),
    }
}
