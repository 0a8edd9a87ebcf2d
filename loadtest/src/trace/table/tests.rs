//! Headers and rows, of CacheLib and of CSV files.

use proptest::prelude::*;

use super::*;
use crate::trace::header::Spec;

const UNIT: Option<TimeUnit> = None;

const SHORT: &[u8] = b"key,op,size,op_count,key_size";
const LONG: &[u8] = b"op_time,key,key_size,op,op_count,size,cache_hits,ttl,usecase,sub_usecase";

fn header(line: &[u8]) -> Table {
    Table::cachelib(line).unwrap()
}

/// A row without the key's size, which has tests of its own.
fn read<'line>(table: &Table, line: &'line [u8]) -> Row<'line> {
    Row { key_size: None, ..table.row(line, UNIT).unwrap() }
}

fn row(seconds: Option<u64>, key: &str, verb: Verb, times: u32, ttl: Option<i128>) -> Row<'_> {
    Row {
        time: seconds.map(|seconds| Time::whole(seconds, TimeUnit::Seconds)),
        value_size: Some(82),
        verb,
        times: NonZeroU32::new(times).unwrap(),
        ttl,
        ..Row::read(Name::Text(Cow::Borrowed(key)))
    }
}

#[test]
fn columns_are_found_by_name_in_old_and_new_traces() {
    assert_eq!(
        read(&header(SHORT), b"1668757755,SET,82,3,40"),
        row(None, "1668757755", Verb::Write, 3, None)
    );
    assert_eq!(
        read(&header(LONG), b"604038471,82131353f9ddc8c6,48,GET,2,82,1,7200,36,30"),
        row(Some(604_038_471), "82131353f9ddc8c6", Verb::Read, 2, Some(7200))
    );
    assert_eq!(
        header(b" size , key,other,op").row(b" 82 ,k,x, DELETE ", UNIT).unwrap(),
        row(None, "k", Verb::Delete, 1, None)
    );
}

#[test]
fn the_first_of_two_columns_with_one_name_counts() {
    let table = header(b"key,op,size,key,size");
    let row = table.row(b"a,GET,1,b,2", UNIT).unwrap();
    assert_eq!((row.key.to_string(), row.value_size), ("a".to_owned(), Some(1)));
}

#[test]
fn a_row_may_end_early_leave_cells_empty_or_run_on() {
    let header = header(b"key,op,size,op_count,key_size,ttl");
    for line in ["k,SET,82", "k,SET,82,,", "k,SET,82,1,1, ", "k,SET,82,1,1,,9,x"] {
        let expected = row(None, "k", Verb::Write, 1, None);
        assert_eq!(read(&header, line.as_bytes()), expected, "{line}");
    }
}

#[test]
fn a_row_tells_how_long_the_key_was() {
    let size = |line: &[u8]| header(SHORT).row(line, UNIT).unwrap().key_size;
    assert_eq!(
        (size(b"k,SET,82,1,40"), size(b"k,SET,82,1,"), size(b"k,SET,82")),
        (Some(40), None, None)
    );
}

#[test]
fn a_header_without_what_rows_need_is_refused_with_the_names() {
    let message = |line: &[u8]| Table::cachelib(line).unwrap_err().to_string();
    assert_eq!(
        message(b"key,_op,size"),
        "header \"key,_op,size\" lacks op; expected the columns \"key,op,size\" in any order"
    );
    // A row where the header should be.
    assert!(message(b"1,SET,82,1,40").contains(" lacks key, op, size; "));
}

#[test]
fn a_header_of_cachelib_is_one_that_cachebench_would_read() {
    for line in [SHORT, LONG, b"key,op,size"] {
        assert!(Table::is_cachelib(line));
    }
    for line in [
        b"key,_op,size".as_slice(),
        b"time,key,size,op,ttl",
        b"op, key, size",
        b"\"key\",\"op\",\"size\"",
        b"1 1 0 0",
        b"\xff",
    ] {
        assert!(!Table::is_cachelib(line));
    }
}

#[test]
fn what_is_wrong_is_named_with_what_was_expected() {
    let message = |header: &[u8], line: &[u8]| {
        Table::cachelib(header).unwrap().row(line, UNIT).unwrap_err().to_string()
    };
    assert_eq!(
        message(SHORT, b"k,GET"),
        "\"k,GET\" has 2 columns; expected \"key,op,size,op_count,key_size\""
    );
    assert_eq!(
        message(SHORT, b"k,SAT,1,1,1"),
        "op is \"SAT\"; expected an operation such as get, set or delete (--help lists them) in \"key,op,size,op_count,key_size\""
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
        (
            b",k,1,GET,1,1,1,0".as_slice(),
            "op_time is \"\"; expected a time such as 12, 12.5 or 2024-05-01T12:00:00Z in",
        ),
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
    let message = header(&line).row(b"k", UNIT).unwrap_err().to_string();
    assert!(message.len() < 2 * SHOWN, "{message}");
    assert!(message.contains("key,op,size,\\x1b[1mx"), "{message}");
}

fn spec(columns: Option<&str>, delimiter: Option<u8>) -> Spec {
    Spec { columns: columns.map(|columns| columns.parse().unwrap()), delimiter }
}

/// What a file of these lines says, or why the first of them is refused.
fn csv(columns: Option<&str>, text: &str) -> Result<Vec<String>, String> {
    let mut lines = text.lines().map(str::as_bytes);
    let first = lines.next().unwrap();
    let (table, headed) =
        Table::begin(first, &spec(columns, None)).map_err(|problem| problem.to_string())?;
    let rows = std::iter::once(first).filter(|_| !headed).chain(lines);
    rows.map(|line| {
        let row = table.row(line, UNIT).map_err(|problem| problem.to_string())?;
        let seconds = row.time.map(|time| time.nanos / TimeUnit::Seconds.nanos());
        Ok(format!("{seconds:?} {} {:?} {:?} {:?}", row.key, row.value_size, row.verb, row.ttl))
    })
    .collect()
}

const ROW: &str = "Some(5) a,b Some(10) Write Some(60)";

#[test]
fn a_header_names_columns_in_any_order_and_with_any_delimiter() {
    for text in [
        "time,key,size,op,ttl\n5,\"a,b\",10,set,60",
        "ttl, op, size, key, time\n60, set, 10, \"a,b\", 5",
        "# Timestamp\tObject\tvalue size\tcommand\tTTL\tclient\n5\ta,b\t10\tSET\t60\tme",
        "op;key;ttl;obj_size;ts\nset;a,b;60;10.0;5.0",
        "time|key|size|op|ttl\n5|a,b|10|put|60|",
        "time key size op ttl\n5  a,b 10 set 60 ",
    ] {
        assert_eq!(csv(None, text), Ok(vec![ROW.to_owned()]), "{text}");
    }
}

#[test]
fn columns_can_be_named_for_a_file_without_a_header_or_with_another() {
    for (columns, text) in [
        ("time,key,size,op,ttl", "5,\"a,b\",10,set,60"),
        ("time,key,size,op,ttl", "5\ta,b\t10\tset\t60"),
        ("time,key,size,op,ttl", "when,what,how long,which,until\n5,\"a,b\",10,set,60"),
        ("time,key,size,op,ttl", "time,key,size,op,ttl\n5,\"a,b\",10,set,60"),
        ("-,time,-,key,op,size,ttl", "x,5,y,\"a,b\",set,10,60"),
        ("time,key,size,op,ttl", "5,\"a,b\",10,set,60,and,more"),
        ("key=4,time=1,size=3,op=2,ttl=5", "5,set,10,\"a,b\",60"),
        (
            "key=what,time=when,size=3,op=which,ttl=5",
            "when,what,n,which,until\n5,\"a,b\",10,set,60",
        ),
    ] {
        assert_eq!(csv(Some(columns), text), Ok(vec![ROW.to_owned()]), "{columns}: {text}");
    }
}

#[test]
fn what_a_row_does_not_tell_is_left_open() {
    assert_eq!(csv(None, "key\nabc"), Ok(vec!["None abc None Read None".to_owned()]));
    assert_eq!(csv(None, "key,size\nabc,"), Ok(vec!["None abc None Read None".to_owned()]));
    assert_eq!(csv(Some("key"), "abc"), Ok(vec!["None abc None Read None".to_owned()]));
    assert_eq!(csv(Some("key"), "key\nabc"), Ok(vec!["None abc None Read None".to_owned()]));
}

#[test]
fn columns_that_cannot_be_those_are_refused_with_the_remedy() {
    for (columns, text, expected) in [
        (None, "a,b,c", "\"a,b,c\" names no key; expected a header with one, or name the columns"),
        (
            Some("time,key,size"),
            "key,time,size\nabc,5,1",
            "the header calls column 1 \"key\", and --columns time; leave --columns out",
        ),
        (Some("key=what"), "a,b", "header \"a,b\" has no column \"what\"; expected"),
        (Some("time,key"), "5,a\tb", "\"5,a\\tb\" has as many columns with ',' as with '\t'"),
        (
            Some("time,key,size"),
            "5,a",
            "\"5,a\" has 2 columns; expected \"3 columns of --columns\"",
        ),
        (None, "time,key\n5", "\"5\" has 1 columns; expected \"time,key\""),
        (None, "time,key\n5,a,b", "\"5,a,b\" has 3 columns; expected \"time,key\""),
        (None, "time,key\n,a", "time is \"\"; expected a time such as"),
        (None, "key,size\na,-1", "size is \"-1\"; expected whole bytes"),
        (None, "key,size\na,1.5", "size is \"1.5\"; expected whole bytes"),
        (None, "key,size\n\"a,1", "the quote of \"\\\"a,1\" is not closed"),
    ] {
        let message = csv(columns, text).unwrap_err();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn another_header_takes_over_and_a_broken_row_does_not() {
    let spec = spec(None, None);
    let (table, _) = Table::begin(b"time,key,size", &spec).unwrap();
    assert!(table.is(b"time,key,size"));
    let changed = table.changed(b"key;op;time", &spec).unwrap();
    assert_eq!(changed.columns(), "key,op,time");
    for line in [b"5,key".as_slice(), b"x,a,1", b"key", b""] {
        assert!(table.changed(line, &spec).is_none());
    }
    let cachelib = header(SHORT);
    assert!(cachelib.changed(LONG, &spec).is_some());
    assert!(cachelib.changed(b"k,SAT,1,1,1", &spec).is_none());
}

proptest! {
    #[test]
    fn any_bytes_give_a_table_and_a_row_or_a_refusal(
        first: Vec<u8>, text in "[a-z0-9,;\" ]{0,40}", line: Vec<u8>,
    ) {
        for columns in [None, Some("time,key,size"), Some("key=2,time=1"), Some("key=a")] {
            for first in [&first[..], text.as_bytes()] {
                if let Ok((table, _)) = Table::begin(first, &spec(columns, None)) {
                    let _ = table.row(&line, UNIT).map(|_| ());
                    let _ = table.row(first, UNIT).map(|_| ());
                    let _ = table.changed(&line, &spec(columns, None));
                }
            }
        }
    }

    #[test]
    fn a_written_csv_row_reads_back(
        key in "[^\r\n]{1,256}", seconds: u64, size: u64, ttl: i32, delete: bool,
    ) {
        let op = if delete { "delete" } else { "get" };
        let line = format!("{op},\"{}\",{ttl},{seconds},{size}", key.replace('"', "\"\""));
        let (table, _) = Table::begin(b"op,key,ttl,time,size", &spec(None, None)).unwrap();
        let expected = Row {
            value_size: Some(size),
            verb: if delete { Verb::Delete } else { Verb::Read },
            ..row(Some(seconds), &key, Verb::Read, 1, Some(i128::from(ttl)))
        };
        prop_assert_eq!(table.row(line.as_bytes(), UNIT).unwrap(), expected);
    }

    #[test]
    fn any_bytes_give_a_header_and_a_row_or_an_error(
        names: Vec<u8>, shuffled in Just(LONG.split(|&byte| byte == b',').collect::<Vec<_>>()).prop_shuffle(),
        line: Vec<u8>, cells in "[GETSAD_0-9,.-]{0,60}",
    ) {
        let _ = Table::cachelib(&names).map(|header| header.row(&line, UNIT).map(|_| ()));
        let header = Table::cachelib(&shuffled.join(&b","[..])).unwrap();
        let _ = header.row(&line, UNIT);
        let _ = header.row(cells.as_bytes(), UNIT);
    }

    #[test]
    fn a_written_row_reads_back(
        key in "[^\r\n,\"]{1,256}", time: u64, size: u64, times in 1..=u32::MAX, ttl: i32,
        op in 0..3_usize,
    ) {
        let (op, verb) = [("GET_LEASE", Verb::Read), ("SET", Verb::Write), ("DELETE", Verb::Delete)][op];
        let line = format!("{time},{key},{},{op},{times},{size},0,{ttl},1,2", key.len());
        let expected = Row {
            value_size: Some(size),
            ..row(Some(time), &key, verb, times, Some(i128::from(ttl)))
        };
        prop_assert_eq!(read(&header(LONG), line.as_bytes()), expected);
    }
}
