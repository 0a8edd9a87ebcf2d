//! Whole files: formats found out, contents decided, line numbers of errors.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::access::{self, Operation, ValueSize};

const FALLBACK: &str = "64";

fn reading(format: Option<Format>) -> Reading {
    let fallback = Content { size: FALLBACK.parse().unwrap(), ttl: access::ttl("1h").unwrap() };
    Reading { format, keys: Keys::new(String::new(), 256), fallback }
}

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Vec<Access>, TraceError> {
    let (_dir, path) = file(name, bytes);
    Trace::open(&path, reading(None))?.collect()
}

fn content(size: u64, ttl: i128) -> Content {
    Content {
        size: ValueSize::from_bytes(size).unwrap(),
        ttl: access::ttl_of_seconds(ttl).unwrap(),
    }
}

fn operations(accesses: &[Access]) -> Vec<Operation> {
    accesses.iter().map(|access| access.operation).collect()
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
    assert!(accesses.iter().all(|access| matches!(access.operation,
        Operation::Read(content) if content.size.bytes() == 64 && content.ttl.seconds() == 3600)));
}

#[test]
fn a_row_gives_its_own_content_and_a_read_without_one_the_fallback() {
    let rows = "1,a,1,10,1,get,0\n1,b,1,0,1,gets,0\n1,c,1,0,1,set,0\n1,d,1,7,1,incr,60\n1,e,1,0,1,delete,0\n";
    assert_eq!(
        operations(&read("c.csv", rows).unwrap()),
        [
            Operation::Read(content(10, 3600)),
            Operation::Read(content(64, 3600)),
            Operation::Write(content(0, 0)),
            Operation::Write(content(7, 60)),
            Operation::Delete,
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
    let missed = Operation::Read(content(64, 3600));
    let empty = Operation::Write(content(0, 0));
    assert_eq!(
        operations(&accesses),
        [
            Operation::Read(content(87, 3600)),
            missed,
            missed,
            missed,
            Operation::Write(content(65, 7200)),
            empty,
            empty,
            Operation::Delete,
        ]
    );
    assert_eq!(accesses[3].key, "a54f88ab02ece24d");
    assert_eq!(lines(&accesses), [2, 3, 3, 3, 4, 5, 5, 6]);
    assert_eq!(seconds(&accesses), [0, 0, 0, 0, 2, 3, 3, 4].map(Some));
}

#[test]
fn a_cachelib_trace_without_ttls_and_times_takes_the_fallback_ttl_for_writes_too() {
    let accesses = read("c.csv", "key,op,size,op_count,key_size\n1,SET,82,1,40\n").unwrap();
    assert_eq!(operations(&accesses), [Operation::Write(content(82, 3600))]);
    assert_eq!(seconds(&accesses), [None]);
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
        ("\nkey,_op,size\na,GET,1\n", "line 2: header \"key,_op,size\" lacks op; expected"),
        ("key,op,size\na,GET,1\n\nb,SAT,1\n", "line 4: op is \"SAT\"; expected GET, "),
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
    let error = Trace::open(&path, reading(Some(Format::Cachelib))).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("line 1: header "), "{error}");
    assert!(error.to_string().contains(" lacks key, op, size; "), "{error}");
}

#[test]
fn the_format_comes_from_the_name_and_else_from_the_first_line() {
    let row = "1,a,1,10,1,get,0\n";
    for (name, bytes, format) in [
        ("a.lis", "1 1 0 0\n", Format::Arc),
        ("a.LIS.zst", "1 1 0 0\n", Format::Arc),
        ("cluster52.csv", row, Format::Twitter),
        ("cluster52.0", row, Format::Twitter),
        ("kvcache_traces_1.csv", "key,op,size\na,GET,1\n", Format::Cachelib),
        ("kvcache", "\nop_time,op,key,size\n1,GET,a,1\n", Format::Cachelib),
        // A key with commas does not make a header.
        ("cluster52.csv", "1,key,op,size,1,10,1,get,0\n", Format::Twitter),
        ("trace", "\n\n1 1 0 0\n", Format::Arc),
    ] {
        let (_dir, path) = file(name, bytes);
        assert_eq!(Trace::open(&path, reading(None)).unwrap().format(), format, "{name}");
    }
}

#[test]
fn a_format_that_is_asked_for_wins_over_the_name() {
    let (_dir, path) = file("a.csv", "1 1 0 0\n");
    assert_eq!(Trace::open(&path, reading(Some(Format::Arc))).unwrap().count(), 1);
    assert!(Trace::open(&path, reading(None)).is_err());
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
        assert!(message.contains(": line 1: "), "{message}");
        assert!(message.contains("expected"), "{message}");
        assert!(message.chars().all(|char| !char.is_control()), "{message}");
    }
}

#[test]
fn cut_zstd_data_give_the_accesses_before_the_cut_and_then_an_error() {
    let text: String = (0..50_000_u64).map(|n| format!("{} 1 0 {n}\n", n * n % 7919)).collect();
    let mut packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    packed.truncate(packed.len() - 10);
    let (_dir, path) = file("a.lis.zst", packed);
    let mut trace = Trace::open(&path, reading(None)).unwrap();
    let read = trace.by_ref().take_while(Result::is_ok).count();
    assert!(read > 0 && read < 50_000, "{read}");
    assert!(trace.next().is_none(), "a trace ends after its first error");
}

#[test]
fn a_directory_and_a_missing_file_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = |path: &Path| Trace::open(path, reading(None)).map(|_| ()).unwrap_err();
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
        assert!(message.ends_with(expected), "{message}");
    }
    let long = format!("{good}\n1,{},1,1,1,get,0\n", "k".repeat(257));
    let message = read("a.csv", long).unwrap_err().to_string();
    assert!(message.contains("line 3: key has 257 characters"), "{message}");
}

proptest! {
    #[test]
    fn any_file_reads_or_fails_without_a_panic(bytes: Vec<u8>, name in "a(\\.lis|\\.csv|)") {
        let _ = read(&name, &bytes);
        let _ = read(&name, [b"key,op,size,op_time\n", bytes.as_slice()].concat());
    }

    #[test]
    fn an_error_carries_the_number_of_its_line(good in 0..50_u64, blank in 0..5_usize) {
        let mut text: String = (0..good).map(|n| format!("{n} 1 0 {n}\n")).collect();
        text.push_str(&"\n".repeat(blank));
        text.push_str("broken\n1 1 0 0\n");
        let error = read("a.lis", text).unwrap_err();
        prop_assert_eq!(error.line(), Some(good + blank as u64 + 1));
    }
}
