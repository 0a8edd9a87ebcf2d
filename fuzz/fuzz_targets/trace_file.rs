//! A trace file. The first byte chooses the format, or none to have it found out; the second how
//! its rows are read.

#![no_main]

use std::{fs, path::PathBuf, process, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use tiny_cache_loadtest::{
    access::{Content, ValueSize, ttl},
    trace::{Format, Keys, Reading, TimeUnit, Trace},
};

/// Accesses read of a file: a row can stand for billions.
const MOST: usize = 10_000;

const FORMATS: [Option<Format>; 8] = [
    None,
    Some(Format::Arc),
    Some(Format::Lirs),
    Some(Format::Twitter),
    Some(Format::Cachelib),
    Some(Format::Csv),
    Some(Format::OracleGeneral),
    Some(Format::Cache2k),
];

/// zstd and xz take a window of up to 2 GiB by design, and are not our code.
const NOT_OURS: [&[u8]; 2] = [b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"];

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("tiny-cache-fuzz-trace-{}", process::id())));

fn reading(format: u8, how: u8) -> Reading {
    let fallback = Content {
        size: ValueSize::from_bytes(64).expect("a size"),
        ttl: ttl("1h").expect("a time"),
    };
    let keys = Keys::new("prefix:".to_owned(), 64).hash_long(how & 1 != 0);
    let csv = how & 8 != 0 && format & 7 == 5;
    Reading {
        format: FORMATS[usize::from(format & 7)],
        skip_broken: how & 2 != 0,
        time_unit: (how & 4 != 0).then_some(TimeUnit::Milliseconds),
        columns: csv.then(|| "time,key,size,op,ttl".parse().expect("columns")),
        delimiter: (csv && how & 16 != 0).then_some(b';'),
        ..Reading::new(keys, fallback)
    }
}

fuzz_target!(|data: &[u8]| {
    let [format, how, file @ ..] = data else { return };
    if NOT_OURS.iter().any(|magic| file.starts_with(magic)) {
        return;
    }
    fs::write(&*FILE, file).expect("a file that can be written");
    let trace = match Trace::open(&[FILE.clone()], reading(*format, *how)) {
        Ok(trace) => trace,
        Err(error) => return assert_eq!(error.to_string().lines().count(), 1, "{error}"),
    };
    let _ = trace.meter().read();
    for access in trace.take(MOST) {
        match access {
            Ok(access) => assert!(access.key.chars().count() <= 64, "{access:?}"),
            Err(error) => return assert_eq!(error.to_string().lines().count(), 1, "{error}"),
        }
    }
});
