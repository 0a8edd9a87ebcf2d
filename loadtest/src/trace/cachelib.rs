//! The key-value format of CacheLib's cachebench: comma-separated rows below a header that
//! names the columns. Meta publishes traces in it, whose columns changed over the years.
//! Knows the header and rows; which content a row leads to is decided in [`super::row`].
//!
//! The format is what cachebench's replay reads: `KVReplayGenerator.h` and
//! `ReplayGeneratorBase.h` in `cachelib/cachebench/workload` of
//! <https://github.com/facebook/CacheLib>. The traces are listed in
//! <https://cachelib.org/docs/Cache_Library_User_Guides/Cachebench_FB_HW_eval>.
//!
//! As there, a comma always ends a column: there is no quoting. That leaves nothing for a
//! CSV reader to do, so lines are cut, numbered and limited in length by [`super::lines`]
//! as those of the other formats are.

use std::num::NonZeroU32;

use super::{
    error::{Excerpt, Problem},
    row::{self, Row, Verb},
};

/// The columns that a header must have.
pub(super) const NEEDED: &str = "key,op,size";

/// Bytes of a header shown in an error. The trace `kvcache/202401` has one of 72.
const SHOWN: usize = 120;

/// A column that is read. All others are ignored, `key_size` and `cache_hits` among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Column {
    Key,
    Op,
    Size,
    OpCount,
    Ttl,
    OpTime,
}

impl Column {
    const NEEDED: [Self; 3] = [Self::Key, Self::Op, Self::Size];
    const ALL: [Self; 6] =
        [Self::Key, Self::Op, Self::Size, Self::OpCount, Self::Ttl, Self::OpTime];

    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Op => "op",
            Self::Size => "size",
            Self::OpCount => "op_count",
            Self::Ttl => "ttl",
            Self::OpTime => "op_time",
        }
    }

    fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name().as_bytes() == name.trim_ascii())
    }
}

/// The first line of a trace: which column stands where.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// From left to right, none for one that is ignored.
    columns: Vec<Option<Column>>,
    line: Vec<u8>,
}

impl Header {
    /// Reads a header. Of columns with the same name the first counts.
    ///
    /// # Errors
    ///
    /// A column that a row needs is not named.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Problem> {
        let header = Self::of(line);
        let missing = header.missing();
        if missing.is_empty() {
            Ok(header)
        } else {
            Err(Problem::Header { found: Excerpt::of(line), missing })
        }
    }

    /// Whether a line is meant as a header: it names all that is needed, or all but one.
    pub(super) fn resembles(line: &[u8]) -> bool {
        Self::of(line).missing().len() <= 1
    }

    /// Whether a line is this header once more, as it is where the files of one trace were
    /// put one after the other.
    pub(super) fn is(&self, line: &[u8]) -> bool {
        self.line == line
    }

    /// Reads a row below this header. One may end early, before columns that are not
    /// needed, and what is beyond the header's last column is ignored.
    ///
    /// # Errors
    ///
    /// A column that is needed is missing, a column is not what its place asks for, or the
    /// key is empty or not UTF-8.
    pub(super) fn row<'line>(&self, line: &'line [u8]) -> Result<Row<'line>, Problem> {
        let mut cells = [None; Column::ALL.len()];
        for (column, cell) in self.columns.iter().zip(columns(line)) {
            if let Some(column) = column {
                cells[*column as usize] = Some(cell);
            }
        }
        let needed = |column: Column| {
            cells[column as usize].ok_or_else(|| Problem::Columns {
                found: Excerpt::of(line),
                count: columns(line).count(),
                row: self.shown().into(),
            })
        };
        let told = |column: Column| {
            cells[column as usize].map(<[u8]>::trim_ascii).filter(|cell| !cell.is_empty())
        };

        let key = needed(Column::Key)?;
        let op = needed(Column::Op)?.trim_ascii();
        let size = needed(Column::Size)?.trim_ascii();
        Ok(Row {
            seconds: self.seconds(needed)?,
            key: row::key(key).map_err(|expected| self.not(Column::Key, key, expected))?,
            value_size: row::number(size)
                .ok_or_else(|| self.not(Column::Size, size, "whole bytes"))?,
            verb: verb(op).ok_or_else(|| {
                self.not(Column::Op, op, "GET, GET_LEASE, SET, SET_LEASE or DELETE")
            })?,
            times: told(Column::OpCount).map_or(Ok(NonZeroU32::MIN), |count| {
                times(count).ok_or_else(|| {
                    self.not(Column::OpCount, count, "a number from 1 to 4294967295")
                })
            })?,
            ttl: told(Column::Ttl)
                .map(|ttl| row::ttl(ttl).ok_or_else(|| self.not(Column::Ttl, ttl, "whole seconds")))
                .transpose()?,
        })
    }

    /// Every row has a time or none has: a gap among them could not be replayed.
    fn seconds<'line>(
        &self,
        needed: impl Fn(Column) -> Result<&'line [u8], Problem>,
    ) -> Result<Option<u64>, Problem> {
        if !self.columns.contains(&Some(Column::OpTime)) {
            return Ok(None);
        }
        let cell = needed(Column::OpTime)?.trim_ascii();
        row::number(cell).map(Some).ok_or_else(|| self.not(Column::OpTime, cell, "whole seconds"))
    }

    fn of(line: &[u8]) -> Self {
        let mut header = Self { columns: Vec::new(), line: line.to_vec() };
        for name in columns(line) {
            let first = |column: &Column| !header.columns.contains(&Some(*column));
            let column = Column::named(name).filter(first);
            header.columns.push(column);
        }
        header
    }

    fn missing(&self) -> Vec<&'static str> {
        Column::NEEDED
            .into_iter()
            .filter(|&column| !self.columns.contains(&Some(column)))
            .map(Column::name)
            .collect()
    }

    fn not(&self, column: Column, bytes: &[u8], expected: &'static str) -> Problem {
        Problem::Column {
            column: column.name(),
            found: Excerpt::of(bytes),
            expected,
            row: self.shown().into(),
        }
    }

    fn shown(&self) -> String {
        self.line[..self.line.len().min(SHOWN)].escape_ascii().to_string()
    }
}

fn columns(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',')
}

/// Cachebench takes no leases either: it reads and writes as it does without one.
fn verb(op: &[u8]) -> Option<Verb> {
    match op {
        b"GET" | b"GET_LEASE" => Some(Verb::Read),
        b"SET" | b"SET_LEASE" => Some(Verb::Write),
        b"DELETE" => Some(Verb::Delete),
        _ => None,
    }
}

fn times(count: &[u8]) -> Option<NonZeroU32> {
    u32::try_from(row::number(count)?).ok().and_then(NonZeroU32::new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHORT: &[u8] = b"key,op,size,op_count,key_size";
    const LONG: &[u8] = b"op_time,key,key_size,op,op_count,size,cache_hits,ttl,usecase,sub_usecase";

    fn header(line: &[u8]) -> Header {
        Header::parse(line).unwrap()
    }

    fn row(seconds: Option<u64>, key: &str, verb: Verb, times: u32, ttl: Option<i128>) -> Row<'_> {
        let times = NonZeroU32::new(times).unwrap();
        Row { seconds, key, value_size: 82, verb, times, ttl }
    }

    #[test]
    fn columns_are_found_by_name_in_old_and_new_traces() {
        assert_eq!(
            header(SHORT).row(b"1668757755,SET,82,3,40").unwrap(),
            row(None, "1668757755", Verb::Write, 3, None)
        );
        assert_eq!(
            header(LONG).row(b"604038471,82131353f9ddc8c6,48,GET,2,82,1,7200,36,30").unwrap(),
            row(Some(604_038_471), "82131353f9ddc8c6", Verb::Read, 2, Some(7200))
        );
        assert_eq!(
            header(b" size , key,other,op").row(b" 82 ,k,x, DELETE ").unwrap(),
            row(None, "k", Verb::Delete, 1, None)
        );
    }

    #[test]
    fn the_first_of_two_columns_with_one_name_counts() {
        let row = header(b"key,op,size,key,size").row(b"a,GET,1,b,2").unwrap();
        assert_eq!((row.key, row.value_size), ("a", 1));
    }

    #[test]
    fn a_row_may_end_early_leave_cells_empty_or_run_on() {
        let header = header(b"key,op,size,op_count,key_size,ttl");
        for line in ["k,SET,82", "k,SET,82,,", "k,SET,82,1,1, ", "k,SET,82,1,1,,9,x"] {
            let expected = row(None, "k", Verb::Write, 1, None);
            assert_eq!(header.row(line.as_bytes()).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn every_operation_has_a_verb() {
        for (op, verb) in [
            ("GET", Verb::Read),
            ("GET_LEASE", Verb::Read),
            ("SET", Verb::Write),
            ("SET_LEASE", Verb::Write),
            ("DELETE", Verb::Delete),
        ] {
            let line = format!("k,{op},1,1,1");
            assert_eq!(header(SHORT).row(line.as_bytes()).unwrap().verb, verb, "{op}");
        }
    }

    #[test]
    fn a_header_without_what_rows_need_is_refused_with_the_names() {
        let message = |line: &[u8]| Header::parse(line).unwrap_err().to_string();
        assert_eq!(
            message(b"key,_op,size"),
            "header \"key,_op,size\" lacks op; expected the columns \"key,op,size\" in any order"
        );
        // A row where the header should be.
        assert!(message(b"1,SET,82,1,40").contains(" lacks key, op, size; "));
    }

    #[test]
    fn a_line_is_taken_for_a_header_even_where_one_name_is_wrong() {
        for line in [SHORT, LONG, b"key,_op,size"] {
            assert!(Header::resembles(line));
        }
        for line in [b"1668757755,SET,82,1,40".as_slice(), b"key", b"1 1 0 0", b"\xff"] {
            assert!(!Header::resembles(line));
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_expected() {
        let message = |header: &[u8], line: &[u8]| {
            Header::parse(header).unwrap().row(line).unwrap_err().to_string()
        };
        assert_eq!(
            message(SHORT, b"k,GET"),
            "\"k,GET\" has 2 columns; expected \"key,op,size,op_count,key_size\""
        );
        assert_eq!(
            message(SHORT, b"k,SAT,1,1,1"),
            "op is \"SAT\"; expected GET, GET_LEASE, SET, SET_LEASE or DELETE in \"key,op,size,op_count,key_size\""
        );
        for (line, start) in [
            (b",GET,1,1,1".as_slice(), "key is \"\"; expected 1 character or more in"),
            (b"\xff,GET,1,1,1", "key is \"\\xff\"; expected UTF-8 in"),
            (b"k,GET,,1,1", "size is \"\"; expected whole bytes in"),
            (b"k,GET,1,0,1", "op_count is \"0\"; expected a number from 1 to 4294967295 in"),
            (b"k,GET,1,4294967296,1", "op_count is \"4294967296\"; expected a number"),
        ] {
            assert!(message(SHORT, line).starts_with(start), "{}", message(SHORT, line));
        }
        for (line, start) in [
            (b",k,1,GET,1,1,1,0".as_slice(), "op_time is \"\"; expected whole seconds in"),
            (b"1,k,1,GET,1,1,1,1.5", "ttl is \"1.5\"; expected whole seconds in"),
        ] {
            assert!(message(LONG, line).starts_with(start), "{}", message(LONG, line));
        }
        // The time is needed as soon as the header promises it.
        assert!(message(b"key,op,size,op_time", b"k,GET,1").starts_with("\"k,GET,1\" has 3 "));
    }

    #[test]
    fn a_header_in_an_error_is_cut_and_printable() {
        let mut line = b"key,op,size,\x1b[1m".to_vec();
        line.resize(60_000, b'x');
        let message = header(&line).row(b"k").unwrap_err().to_string();
        assert!(message.len() < 2 * SHOWN, "{message}");
        assert!(message.contains("key,op,size,\\x1b[1mx"), "{message}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_header_and_a_row_or_an_error(
            names: Vec<u8>, shuffled in Just(LONG.split(|&byte| byte == b',').collect::<Vec<_>>()).prop_shuffle(),
            line: Vec<u8>, cells in "[GETSAD_0-9,.-]{0,60}",
        ) {
            let _ = Header::parse(&names).map(|header| header.row(&line).map(|_| ()));
            let header = Header::parse(&shuffled.join(&b","[..])).unwrap();
            let _ = header.row(&line);
            let _ = header.row(cells.as_bytes());
        }

        #[test]
        fn a_written_row_reads_back(
            key in "[^\r\n,]{1,256}", time: u64, size: u64, times in 1..=u32::MAX, ttl: i32,
            op in 0..3_usize,
        ) {
            let (op, verb) = [("GET_LEASE", Verb::Read), ("SET", Verb::Write), ("DELETE", Verb::Delete)][op];
            let line = format!("{time},{key},{},{op},{times},{size},0,{ttl},1,2", key.len());
            let expected = Row {
                value_size: size,
                ..row(Some(time), &key, verb, times, Some(i128::from(ttl)))
            };
            prop_assert_eq!(header(LONG).row(line.as_bytes()).unwrap(), expected);
        }
    }
}
