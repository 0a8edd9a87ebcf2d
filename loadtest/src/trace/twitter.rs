//! The row format of twitter/cache-trace: seven comma-separated columns, no header,
//! no quoting. Knows rows; which content a row leads to is decided in [`super::row`].
//!
//! The format is documented in <https://github.com/twitter/cache-trace>.
//!
//! The rows are cut here and not by a CSV reader: an anonymized key may hold quotes
//! and commas as they are. So the first column is taken from the left, five from the
//! right, and the key is whatever is between.

use std::{borrow::Cow, num::NonZeroU32};

use super::{
    error::Problem,
    row::{self, Name, Row, Verb},
    time::{self, Time, TimeUnit},
};

/// The columns of a row.
pub(super) const ROW: &str = "timestamp,key,key size,value size,client id,operation,ttl";

const COLUMNS: usize = 7;

/// Reads one row, whose time is in seconds.
///
/// # Errors
///
/// A column is missing or not what its place asks for, or the key is empty or not
/// UTF-8.
pub(super) fn parse(line: &[u8]) -> Result<Row<'_>, Problem> {
    parse_in(line, TimeUnit::Seconds)
}

/// Reads one row, whose time is in another unit.
///
/// # Errors
///
/// As those of [`parse`].
pub(super) fn parse_in(line: &[u8], unit: TimeUnit) -> Result<Row<'_>, Problem> {
    let Some([timestamp, key, _key_size, value_size, _client, operation, ttl]) = split(line) else {
        let count = line.split(|&byte| byte == b',').count();
        return Err(Problem::columns(line, count, ROW));
    };
    Ok(Row {
        time: Some(
            Time::parse(timestamp.trim_ascii(), unit)
                .ok_or_else(|| not("timestamp", timestamp, time::EXPECTED))?,
        ),
        key: row::key(key)
            .map(|key| Name::Text(Cow::Borrowed(key)))
            .map_err(|expected| not("key", key, expected))?,
        // The anonymized key is as long as the original.
        key_size: None,
        value_size: Some(
            row::number(value_size.trim_ascii())
                .ok_or_else(|| not("value size", value_size, "whole bytes"))?,
        ),
        verb: Verb::parse(operation.trim_ascii())
            .ok_or_else(|| not("operation", operation, row::VERBS))?,
        times: NonZeroU32::MIN,
        ttl: Some(row::ttl(ttl.trim_ascii()).ok_or_else(|| not("ttl", ttl, "whole seconds"))?),
    })
}

/// Cuts a row into its columns: from the right those behind the key, then the first.
fn split(line: &[u8]) -> Option<[&[u8]; COLUMNS]> {
    const KEY: usize = 1;
    let mut columns: [&[u8]; COLUMNS] = [&[]; COLUMNS];
    let mut rest = line;
    for column in columns[KEY + 1..].iter_mut().rev() {
        let comma = rest.iter().rposition(|&byte| byte == b',')?;
        *column = &rest[comma + 1..];
        rest = &rest[..comma];
    }
    let comma = rest.iter().position(|&byte| byte == b',')?;
    columns[0] = &rest[..comma];
    columns[KEY] = &rest[comma + 1..];
    Some(columns)
}

fn not(column: &'static str, bytes: &[u8], expected: &'static str) -> Problem {
    Problem::column(column, bytes, expected, ROW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(seconds: u64, key: &str, value_size: u64, verb: Verb, ttl: i128) -> Row<'_> {
        Row {
            time: Some(Time::whole(seconds, TimeUnit::Seconds)),
            value_size: Some(value_size),
            verb,
            ttl: Some(ttl),
            ..Row::read(Name::Text(Cow::Borrowed(key)))
        }
    }

    #[test]
    fn a_row_gives_time_key_size_verb_and_ttl() {
        assert_eq!(
            parse(b"5,nz:u:eeW511W3,12,328,17,set,86400").unwrap(),
            row(5, "nz:u:eeW511W3", 328, Verb::Write, 86400)
        );
    }

    #[test]
    fn a_key_keeps_commas_quotes_and_spaces() {
        for key in ["a,b", "\"", "\"a\",b", " a ", ",", "ключ", "\u{1f511}"] {
            let line = format!("1,{key},1,1,1,get,0");
            assert_eq!(parse(line.as_bytes()).unwrap().key.to_string(), key);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_expected() {
        let message = |line: &[u8]| parse(line).unwrap_err().to_string();
        assert_eq!(
            message(b"1,k,1,1,get,0"),
            "\"1,k,1,1,get,0\" has 6 columns; expected \"timestamp,key,key size,value size,client id,operation,ttl\""
        );
        for (line, start) in [
            (
                b"x,k,1,1,1,get,0".as_slice(),
                "timestamp is \"x\"; expected a time such as 12, 12.5 or",
            ),
            (b"1,,1,1,1,get,0", "key is \"\"; expected 1 character or more in"),
            (b"1,\xff,1,1,1,get,0", "key is \"\\xff\"; expected UTF-8 in"),
            (b"1,k,1,-1,1,get,0", "value size is \"-1\"; expected whole bytes in"),
            (b"1,k,1,1,1,touch,0", "operation is \"touch\"; expected an operation such as"),
            (b"1,k,1,1,1,get,1.5", "ttl is \"1.5\"; expected whole seconds in"),
        ] {
            assert!(message(line).starts_with(start), "{}", message(line));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_row_or_an_error(line: Vec<u8>) {
            let _ = parse(&line);
        }

        #[test]
        fn a_written_row_reads_back(
            key in "[^\r\n]{1,256}", time: u64, size: u64, client: u64, ttl: i32, verb in 0..3_usize,
        ) {
            let (operation, verb) = [("gets", Verb::Read), ("cas", Verb::Write), ("delete", Verb::Delete)][verb];
            let line = format!("{time},{key},{},{size},{client},{operation},{ttl}", key.len());
            let expected = row(time, &key, size, verb, i128::from(ttl));
            prop_assert_eq!(parse(line.as_bytes()).unwrap(), expected);
        }
    }
}
