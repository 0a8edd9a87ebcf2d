//! Whole files: formats found out, contents decided, line numbers of errors.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::access::{self, Access, Action, Content, ValueSize};

const FALLBACK: &str = "64";

fn reading(format: Option<Format>) -> Reading {
    let fallback = Content { size: FALLBACK.parse().unwrap(), ttl: access::ttl("1h").unwrap() };
    Reading { format, ..Reading::new(Keys::new(String::new(), 256), fallback) }
}

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Vec<Access>, TraceError> {
    let (_dir, path) = file(name, bytes);
    open(&path, reading(None))?.collect()
}

fn open(path: &Path, reading: Reading) -> Result<Trace, TraceError> {
    Trace::open(&[path.to_owned()], reading)
}

/// Reads files of these contents as one trace, each with its name.
fn read_all(
    files: &[(&str, &[u8])],
    reading: Reading,
) -> (Result<Vec<Access>, TraceError>, TraceFindings) {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| dir.path().join(name)).collect();
    for (path, (_, bytes)) in paths.iter().zip(files) {
        fs::write(path, bytes).unwrap();
    }
    match Trace::open(&paths, reading) {
        Ok(trace) => {
            let findings = trace.findings();
            (trace.collect(), findings)
        }
        Err(error) => (Err(error), TraceFindings::default()),
    }
}

fn content(size: u64, ttl: i128) -> Content {
    Content {
        size: ValueSize::from_bytes(size).unwrap(),
        ttl: access::ttl_of_seconds(ttl).unwrap(),
    }
}

fn operations(accesses: &[Access]) -> Vec<Action> {
    accesses.iter().map(|access| access.action).collect()
}

fn lines(accesses: &[Access]) -> Vec<u64> {
    accesses.iter().map(|access| access.line).collect()
}

fn seconds(accesses: &[Access]) -> Vec<Option<u64>> {
    accesses.iter().map(|access| access.at.map(|at| at.as_secs())).collect()
}

fn keys(accesses: &[Access]) -> Vec<&str> {
    accesses.iter().map(|access| access.key.as_str()).collect()
}

#[test]
fn an_arc_line_becomes_reads_of_its_ids_with_the_fallback_content() {
    let accesses = read("a.lis", "5 2 0 0\n9 1 0 1\n").unwrap();
    assert_eq!(keys(&accesses), ["5", "6", "9"]);
    assert_eq!(lines(&accesses), [1, 1, 2]);
    assert_eq!(seconds(&accesses), [None; 3]);
    assert!(accesses.iter().all(|access| matches!(access.action,
        Action::Read(content) if content.size.bytes() == 64 && content.ttl.seconds() == 3600)));
}

#[test]
fn a_row_gives_its_own_content_and_a_read_without_one_the_fallback() {
    let rows = "1,a,1,10,1,get,0\n1,b,1,0,1,gets,0\n1,c,1,0,1,set,0\n1,d,1,7,1,incr,60\n1,e,1,0,1,delete,0\n";
    assert_eq!(
        operations(&read("c.csv", rows).unwrap()),
        [
            Action::Read(content(10, 3600)),
            Action::Read(content(64, 3600)),
            Action::Write(content(0, 0)),
            Action::Write(content(7, 60)),
            Action::Delete,
        ]
    );
}

#[test]
fn accesses_have_the_time_since_the_first_and_never_go_back() {
    let rows: String =
        [70, 70, 73, 71, 74].map(|second| format!("{second},a,1,10,1,get,0\n")).concat();
    let expected = [0, 0, 3, 3, 4].map(Some);
    assert_eq!(seconds(&read("c.csv", rows).unwrap()), expected);

    let rows: String = [70, 70, 73, 71, 74].map(|second| format!("a,GET,1,{second}\n")).concat();
    let accesses = read("c.csv", format!("key,op,size,op_time\n{rows}")).unwrap();
    assert_eq!(seconds(&accesses), expected);
    assert_eq!(lines(&accesses), [2, 3, 4, 5, 6]);
}

#[test]
fn a_cachelib_row_repeats_its_operation_and_gives_its_own_content() {
    let rows = "op_time,key,key_size,op,op_count,size,cache_hits,ttl,usecase,sub_usecase\n\
        604038471,82131353f9ddc8c6,48,GET,1,87,1,0,366387042,3003229276\n\
        604038471,a54f88ab02ece24d,24,GET_LEASE,3,0,0,0,699950563,699950563\n\
        604038473,828769c1e1ce3a29,67,SET,1,65,0,7200,2777918327,655456894\n\
        604038474,749ab7237b8d0372,47,SET_LEASE,2,0,0,0,176962275,176962275\n\
        604038475,828769c1e1ce3a29,67,DELETE,1,0,0,0,2777918327,655456894\n";
    let accesses = read("c.csv", rows).unwrap();
    let missed = Action::Read(content(64, 3600));
    let empty = Action::Write(content(0, 0));
    assert_eq!(
        operations(&accesses),
        [
            Action::Read(content(87, 3600)),
            missed,
            missed,
            missed,
            Action::Write(content(65, 7200)),
            empty,
            empty,
            Action::Delete,
        ]
    );
    assert_eq!(accesses[3].key, "a54f88ab02ece24d00000000");
    assert_eq!(lines(&accesses), [2, 3, 3, 3, 4, 5, 5, 6]);
    assert_eq!(seconds(&accesses), [0, 0, 0, 0, 2, 3, 3, 4].map(Some));
}

#[test]
fn a_cachelib_trace_without_ttls_and_times_takes_the_fallback_ttl_for_writes_too() {
    let accesses = read("c.csv", "key,op,size,op_count,key_size\n1,SET,82,1,40\n").unwrap();
    assert_eq!(operations(&accesses), [Action::Write(content(82, 3600))]);
    assert_eq!(seconds(&accesses), [None]);
    assert_eq!(keys(&accesses), [format!("1{}", "0".repeat(39))], "as long as key_size says");
}

#[test]
fn the_files_of_a_cachelib_trace_may_be_put_one_after_the_other() {
    let accesses = read("c.csv", "key,op,size\na,GET,1\nkey,op,size\nb,GET,1\n").unwrap();
    assert_eq!(keys(&accesses), ["a", "b"]);
    assert_eq!(lines(&accesses), [2, 4]);
}

#[test]
fn a_broken_cachelib_trace_is_refused_with_its_line() {
    for (text, expected) in [
        ("key,op,size\na,GET,1\n\nb,SAT,1\n", "line 4: op is \"SAT\"; expected an operation"),
        ("key,op,size\na,GET,1073741825\n", "line 2: value size 1073741825 exceeds"),
        ("key,op,size,ttl\na,SET,1,-1\n", "line 2: ttl -1 is negative"),
        ("key,op,size\n\n", "line 2: no access in this file"),
    ] {
        for name in ["a.csv", "a"] {
            let message = read(name, text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
    let (_dir, path) = file("a.csv", "1,SET,82,1,40\n");
    let error = open(&path, reading(Some(Format::Cachelib))).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("line 1: header "), "{error}");
    assert!(error.to_string().contains(" lacks key, op, size; "), "{error}");
}

#[test]
fn a_format_that_is_asked_for_wins_over_the_name() {
    let (_dir, path) = file("a.csv", "1 1 0 0\n");
    assert_eq!(open(&path, reading(Some(Format::Arc))).unwrap().count(), 1);
    assert_eq!(open(&path, reading(Some(Format::Lirs))).map(|_| ()).unwrap_err().number, Some(1));
}

#[test]
fn compressed_and_crlf_files_read_like_plain_ones() {
    let text = "5 2 0 0\r\n\r\n9 1 0 1";
    let plain = read("a.lis", text.replace('\r', "")).unwrap();
    assert_eq!(read("a.lis", text).unwrap(), plain);
    // A name without .zst does not hide the compression.
    assert_eq!(read("a.lis", zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap(), plain);
}

#[test]
fn a_file_without_accesses_is_refused() {
    for bytes in ["", "\n \r\n\n"] {
        for name in ["a.lis", "a"] {
            let error = read(name, bytes).unwrap_err();
            assert!(matches!(*error.problem, Problem::Empty), "{error}");
        }
    }
}

#[test]
fn binary_junk_is_refused_in_one_printable_line() {
    let junk: Vec<u8> = (0..200_000_u32).map(|n| (n * 7 + 1) as u8).collect();
    for name in ["a", "a.lis", "a.csv", "a.zst"] {
        let message = read(name, &junk).unwrap_err().to_string();
        assert!(message.contains(": line 1: ") || message.contains("fits neither"), "{message}");
        assert!(message.chars().all(|char| !char.is_control()), "{message}");
    }
}

#[test]
fn cut_zstd_data_give_the_accesses_before_the_cut_and_then_an_error() {
    let text: String = (0..50_000_u64).map(|n| format!("{} 1 0 {n}\n", n * n % 7919)).collect();
    let mut packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    packed.truncate(packed.len() - 10);
    let (_dir, path) = file("a.lis.zst", packed);
    let mut trace = open(&path, reading(None)).unwrap();
    let read = trace.by_ref().take_while(Result::is_ok).count();
    assert!(read > 0 && read < 50_000, "{read}");
    assert!(trace.next().is_none(), "a trace ends after its first error");
}

#[test]
fn a_directory_and_a_missing_file_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = |path: &Path| open(path, reading(None)).map(|_| ()).unwrap_err();
    let directory = error(dir.path());
    assert!(matches!(*directory.problem, Problem::Directory), "{directory}");
    let missing = error(&dir.path().join("none.lis"));
    assert!(matches!(*missing.problem, Problem::Unopened(_)), "{missing}");
    assert!(missing.to_string().contains("none.lis"), "{missing}");
}

#[test]
fn contents_that_the_wire_cannot_carry_are_refused_with_their_line() {
    let good = "1,a,1,10,1,get,0\n";
    for (row, expected) in [
        ("1,a,1,10,1,set,2147483648", "line 2: ttl 2147483648 exceeds 2147483647 seconds"),
        (
            "1,a,1,10,1,get,-1",
            "line 2: ttl -1 is negative; expected 0 (never expires) to 2147483647 seconds",
        ),
        ("1,a,1,1073741825,1,set,0", "line 2: value size 1073741825 exceeds 1073741824 bytes"),
    ] {
        let message = read("a.csv", format!("{good}{row}\n")).unwrap_err().to_string();
        let expected = format!("{expected}; --skip-broken leaves such rows out");
        assert!(message.ends_with(&expected), "{message}");
    }
    let long = format!("{good}\n1,{},1,1,1,get,0\n", "k".repeat(257));
    let message = read("a.csv", long).unwrap_err().to_string();
    assert!(message.contains("line 3: key has 257 characters"), "{message}");
}

/// Four rows of which two are none, and a last one without its end.
const BROKEN: &[u8] = b"time,key,size\n1,a,1\nx,b,1\n2,c\n3,d,1";

fn skipping() -> Reading {
    Reading { skip_broken: true, ..reading(None) }
}

#[test]
fn a_broken_row_stops_the_reading_with_its_file_its_line_and_the_remedy() {
    let (read, _) = read_all(&[("t.csv", BROKEN)], reading(None));
    let message = read.unwrap_err().to_string();
    assert!(
        message.ends_with(
            "t.csv: line 3: time is \"x\"; expected a time such as 12, 12.5 or \
             2024-05-01T12:00:00Z in \"time,key,size\"; --skip-broken leaves such rows out"
        ),
        "{message}"
    );
}

#[test]
fn broken_rows_can_be_left_out_and_are_counted() {
    let oracle = [oracle::written(1, 7, 9, -1), oracle::written(2, 8, u32::MAX, -1), vec![1; 23]];
    let long = [b"1,a,1,1,1,get,0\n", &vec![b'x'; 200_000][..], b"\n1,b,1,1,1,get,0\n"].concat();
    for (name, bytes, read_keys, skipped, first) in [
        ("t.csv", BROKEN.to_vec(), &["a", "d"][..], 2, "line 3: time is \"x\""),
        ("t.bin", oracle.concat(), &["7"], 2, "record 2: value size 4294967295 exceeds"),
        ("t.lis", b"1 1 0 0\n2 0 0 0\n3 1 0 0\n4 1 0".to_vec(), &["1", "3"], 2, "line 2: count is"),
        ("t.trc", b"1\n*\n-5\n6\n".to_vec(), &["1", "6"], 1, "line 3: id is \"-5\""),
        ("t", long, &["a", "b"], 1, "line 2: longer than 65536 bytes"),
    ] {
        let (read, findings) = read_all(&[(name, &bytes)], skipping());
        assert_eq!(keys(&read.unwrap()), read_keys, "{name}");
        let odd = findings.odd().skipped;
        assert_eq!(odd.count, skipped, "{name}");
        assert!(odd.first.as_ref().unwrap().contains(first), "{odd:?}");
        assert_eq!(findings.rows(), read_keys.len() as u64, "{name}");
    }
}

#[test]
fn a_file_of_broken_rows_alone_is_no_trace() {
    let (read, _) = read_all(&[("t.csv", b"time,key\nx,a\ny,b\n")], skipping());
    let message = read.unwrap_err().to_string();
    assert!(message.contains("all 2 rows are broken, the first: "), "{message}");
}

#[test]
fn data_cut_short_stop_the_reading_even_where_broken_rows_do_not() {
    let mut packed = zstd::encode_all(b"1 1 0 0\n2 1 0 0\n".as_slice(), 1).unwrap();
    packed.truncate(packed.len() - 3);
    let (read, _) = read_all(&[("t.lis", &packed)], skipping());
    let message = read.unwrap_err().to_string();
    assert!(message.contains("cannot be read: incomplete frame"), "{message}");
}

/// A record that ends with the file, as a copy that was broken off leaves it.
#[test]
fn a_binary_record_that_is_cut_short_is_named_by_its_number() {
    let bytes = [oracle::written(1, 7, 9, -1), vec![1; 5]].concat();
    let (read, _) = read_all(&[("t.oracleGeneral.bin", &bytes)], reading(None));
    let message = read.unwrap_err().to_string();
    let expected = "record 2: has 5 bytes, where the input ends; expected records of 24 bytes";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn several_files_are_one_trace_with_one_time() {
    let files: [(&str, &[u8]); 3] = [
        ("a.csv", b"time,key,size\n5,a,1\n\n7,b,1\n"),
        ("b.csv", b"key;size;time\nc;2;9\n"),
        ("c.csv", &zstd::encode_all(b"time,key,size\n9,d,3\n".as_slice(), 1).unwrap()),
    ];
    let (read, findings) = read_all(&files, reading(None));
    let accesses = read.unwrap();
    assert_eq!(keys(&accesses), ["a", "b", "c", "d"]);
    assert_eq!(seconds(&accesses), [0, 2, 4, 4].map(Some));
    let places: Vec<_> = lines(&accesses).into_iter().map(|line| findings.place(line)).collect();
    let places: Vec<_> = places
        .iter()
        .flatten()
        .map(|(path, line)| format!("{} {line}", path.file_name().unwrap().display()))
        .collect();
    assert_eq!(places, ["a.csv 2", "a.csv 4", "b.csv 2", "c.csv 2"]);
}

#[test]
fn a_file_behind_the_first_is_looked_at_before_anything_is_sent() {
    let first: (&str, &[u8]) = ("a.csv", b"time,key\n5,a\n");
    for (second, expected) in [
        (&b""[..], "b.csv: line 1: no access in this file"),
        (b"1,a,1,10,1,get,0\n", "b.csv: is twitter, and the first file is csv; replay one after"),
        (b"time,key\nx,a\n", "b.csv: line 2: time is \"x\""),
        (b"BZh91AY&SY", "b.csv: is bzip2 data; expected"),
    ] {
        let (read, _) = read_all(&[first, ("b.csv", second)], reading(None));
        let message = read.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let dir = tempfile::tempdir().unwrap();
    let paths = [dir.path().join("a.csv"), dir.path().join("none.csv")];
    fs::write(&paths[0], first.1).unwrap();
    let missing = Trace::open(&paths, reading(None)).map(|_| ()).unwrap_err();
    assert!(missing.to_string().contains("none.csv: cannot be opened"), "{missing}");
    let twice = [PathBuf::from("-"), PathBuf::from("-")];
    let twice = Trace::open(&twice, reading(None)).map(|_| ()).unwrap_err();
    assert_eq!(twice.to_string(), "standard input: is named twice; expected - once");
}

#[test]
fn a_header_may_change_where_files_were_put_one_after_the_other() {
    let text = "key,op,size\na,GET,1\nop_time,key,op,size\n7,b,GET,1\n8,c,GET,1\n";
    let accesses = read("c.csv", text).unwrap();
    assert_eq!((keys(&accesses), lines(&accesses)), (vec!["a", "b", "c"], vec![2, 4, 5]));
    let text = "time,key,size\n1,a,5\nkey,time,op\nb,2,set\n";
    assert_eq!(keys(&read("c.csv", text).unwrap()), ["a", "b"]);
}

#[test]
fn comments_are_left_out_and_keys_that_begin_like_one_are_not() {
    for (name, text, read_keys) in [
        ("a", "# made today\n1 1 0 0\n#x\n2 1 0 0\n", ["1", "2"]),
        ("a", "# one\n7\n# two\n8\n", ["7", "8"]),
        ("a", "#\n1,a,1,1,1,get,0\n#2,b,1\n1,c,1,1,1,get,0\n", ["a", "c"]),
        ("a", "key,size\n#a,1\n# b,1\nc,1\n", ["#a", "c"]),
        ("a", "# from here\ntime,key\n1,a\n#1\n2,b\n", ["a", "b"]),
    ] {
        assert_eq!(keys(&read(name, text).unwrap()), read_keys, "{text}");
    }
}

#[test]
fn a_byte_order_mark_crlf_and_a_last_line_without_an_end_are_read() {
    for text in [
        "\u{feff}time,key,op,size\r\n1,\"a,b\",get,5\r\n\r\n2,\"c\",set,7",
        "\u{feff}1,a,b,1,5,1,get,0\r\n\r\n2,c,1,7,1,set,3600",
    ] {
        let accesses = read("t.csv", text).unwrap();
        assert_eq!(keys(&accesses), ["a,b", "c"]);
        let expected = [Action::Read(content(5, 3600)), Action::Write(content(7, 3600))];
        assert_eq!(operations(&accesses), expected);
    }
    assert_eq!(keys(&read("t", "\u{feff}17\r\n18").unwrap()), ["17", "18"]);
}

#[test]
fn times_that_go_back_and_a_row_a_day_ahead_are_counted() {
    let times = [0, 1, 86_401, 2, 1, 3];
    let csv: String = times.map(|time| format!("{time},k\n")).concat();
    let twitter: String = times.map(|time| format!("{time},k,1,1,1,get,0\n")).concat();
    let cachelib: String = times.map(|time| format!("{time},k,GET,1\n")).concat();
    let oracle: Vec<u8> = times.iter().flat_map(|&time| oracle::written(time, 7, 1, -1)).collect();
    for (bytes, noun, headers) in [
        (format!("time,key\n{csv}").into_bytes(), "line", 1),
        (twitter.into_bytes(), "line", 0),
        (format!("op_time,key,op,size\n{cachelib}").into_bytes(), "line", 1),
        (oracle, "record", 0),
    ] {
        let (read, findings) = read_all(&[("t", &bytes)], reading(None));
        assert_eq!(seconds(&read.unwrap()), [0, 1, 1, 1, 1, 2].map(Some), "{noun}");
        let Odd { backwards, ahead, .. } = findings.odd();
        assert_eq!((backwards.count, ahead.count), (2, 1));
        assert_eq!((backwards.longest.as_secs(), ahead.longest.as_secs()), (86_399, 86_400));
        let place = |row: u64| format!("{noun} {}", row + headers);
        assert!(ahead.first.unwrap().ends_with(&place(3)));
        assert!(backwards.first.unwrap().ends_with(&place(4)));
    }
}

#[test]
fn times_have_a_unit_and_a_fraction() {
    let millis = |unit, text: &str| -> Vec<u128> {
        let reading = Reading { time_unit: unit, ..reading(None) };
        let (read, _) = read_all(&[("t", text.as_bytes())], reading);
        read.unwrap().iter().map(|access| access.at.unwrap().as_millis()).collect()
    };
    let text = "time,key\n-1500,a\n0,b\n2000,c\n";
    assert_eq!(millis(Some(TimeUnit::Milliseconds), text), [0, 1500, 3500]);
    assert_eq!(millis(Some(TimeUnit::Microseconds), text), [0, 1, 3]);
    assert_eq!(millis(None, "time,key\n-1.5,a\n0.25,b\n"), [0, 1750]);
    assert_eq!(millis(None, "time_ms,key\n1565000000000,a\n1565000000250,b\n"), [0, 250]);
    assert_eq!(
        millis(
            Some(TimeUnit::Milliseconds),
            "1565000000000,a,1,1,1,get,0\n1565000000007,b,1,1,1,get,0\n"
        ),
        [0, 7]
    );
}

#[test]
fn times_that_can_be_no_seconds_are_refused_with_the_likely_unit() {
    let message = read("t.csv", "time,key\n1565000000000,a\n").unwrap_err().to_string();
    assert!(
        message.ends_with(
            "line 2: time 1565000000000 would be thousands of years ahead in seconds; say \
             --time-unit ms, or s if it is meant"
        ),
        "{message}"
    );
    let meant = Reading { time_unit: Some(TimeUnit::Seconds), ..reading(None) };
    assert!(read_all(&[("t.csv", b"time,key\n1565000000000,a\n")], meant).0.is_ok());
}

#[test]
fn the_formats_of_other_programs_are_read() {
    let text = "# time, object, size, next_access_vtime\n0, 13053225291711363978, 737, 13\n";
    let accesses = read("twitter_cluster52.csv", text).unwrap();
    assert_eq!(keys(&accesses), ["13053225291711363978"]);
    assert_eq!(operations(&accesses), [Action::Read(content(737, 3600))]);
    // libCacheSim's sample of CloudPhysics.
    let text = "version,time,op,size,lbn\n1,33898,2a,512,42932745\n1,33899,28,6144,31954535\n";
    let accesses = read("cloudPhysicsIO.csv", text).unwrap();
    assert_eq!(keys(&accesses), ["42932745", "31954535"]);
    assert!(matches!(operations(&accesses)[..], [Action::Write(_), Action::Read(_)]));
    // Blanks behind commas, and names that CacheLib has too.
    for text in ["op, key, size\nget, a b, 5\n", "\"op\",\"key\",\"size\"\n\"get\",\"a b\",\"5\"\n"]
    {
        let accesses = read("t.csv", text).unwrap();
        assert_eq!(keys(&accesses), ["a b"]);
        assert_eq!(operations(&accesses), [Action::Read(content(5, 3600))]);
    }
    // Objects of no size are those whose size is not known.
    let accesses = read("t", oracle::written(1, 7, 0, -1)).unwrap();
    assert_eq!(operations(&accesses), [Action::Read(content(64, 3600))]);
    let ids: Vec<u8> = [1_u32, 2, 1].iter().flat_map(|id| id.to_be_bytes()).collect();
    assert_eq!(keys(&read("web12.trace", ids).unwrap()), ["1", "2", "1"]);
}

proptest! {
    #[test]
    fn any_file_reads_or_fails_without_a_panic(bytes: Vec<u8>, name in "a(\\.lis|\\.csv|)") {
        let _ = read(&name, &bytes);
        let _ = read(&name, [b"key,op,size,op_time\n", bytes.as_slice()].concat());
        let _ = read_all(&[("a", &[b"time;key;ttl\n", bytes.as_slice()].concat())], skipping());
        for format in [Format::Arc, Format::Lirs, Format::Twitter, Format::Cachelib, Format::Csv,
                       Format::OracleGeneral, Format::Cache2k] {
            let reading = Reading { format: Some(format), ..skipping() };
            let _ = read_all(&[("a", &bytes), ("b", &bytes)], reading);
        }
    }

    #[test]
    fn an_error_carries_the_number_of_its_line(good in 0..50_u64, blank in 0..5_usize) {
        let mut text: String = (0..good).map(|n| format!("{n} 1 0 {n}\n")).collect();
        text.push_str(&"\n".repeat(blank));
        text.push_str("broken\n1 1 0 0\n");
        let error = read("a.lis", text).unwrap_err();
        prop_assert_eq!(error.number, Some(good + blank as u64 + 1));
    }
}
