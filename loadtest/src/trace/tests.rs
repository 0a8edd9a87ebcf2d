//! Whole files: formats found out, contents decided, line numbers of errors.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::access::{self, Operation, ValueSize};

const FALLBACK: &str = "64";

fn reading(format: Option<Format>) -> Reading {
    let fallback = Content { size: FALLBACK.parse().unwrap(), ttl: access::ttl("1h").unwrap() };
    Reading { format, keys: Keys::new(String::new(), None), fallback }
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
}

#[test]
fn the_format_comes_from_the_name_and_else_from_the_first_line() {
    let row = "1,a,1,10,1,get,0\n";
    for (name, bytes, format) in [
        ("a.lis", "1 1 0 0\n", Format::Arc),
        ("a.LIS.zst", "1 1 0 0\n", Format::Arc),
        ("cluster52.csv", row, Format::Twitter),
        ("cluster52.0", row, Format::Twitter),
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
        let _ = read(&name, bytes);
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
