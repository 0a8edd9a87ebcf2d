//! A day at one-second resolution, without waiting for it: what the seconds of a run, the
//! report, its page and a comparison take of memory and time. Ignored in a normal run:
//! `make test-day` runs it with optimisation and prints the figures.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tiny_cache_loadtest::{
    engine::{Second, Tally, Times},
    machine::Machine,
    peers::Answer,
    report::{Ending, Figures, Generator, Report, Seconds, Server, Settings, Tool},
    workload::Call,
};

const DAY: u64 = 24 * 60 * 60;

/// What a day may take.
const MOST_BYTES: u64 = 200 << 20;

/// More than ten times what it takes.
const MOST_TIME: Duration = Duration::from_secs(60);

/// The peak of the memory of a process; none once it has ended.
fn peak(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

/// A minute's worth of seconds, each with a thousand requests between 0.1 and 100 ms.
fn minute() -> Vec<Second> {
    let second = |at: u64| {
        let mut second = Second { requests: 1000, hits: 900, misses: 100, ..Second::default() };
        for request in 0..1000 {
            // Any numbers do that fall into many bins.
            let spread = (at * 7919 + request * 104_729) % 3000;
            let nanos = 100_000.0 * 10_f64.powf(spread as f64 / 1000.0);
            second.response.record(nanos as u64).unwrap();
            second.service.record(nanos as u64 / 2).unwrap();
        }
        second
    };
    (0..60).map(second).collect()
}

fn day() -> Report {
    let (minute, mut seconds) = (minute(), Seconds::default());
    for at in 0..DAY {
        seconds.push(0, at, &minute[(at % 60) as usize]);
    }
    let mut tally = Tally::default();
    for request in 0..20_000 {
        let done = Duration::from_micros(200 + request);
        let times =
            Times { intended: Some(Duration::ZERO), due: Duration::ZERO, sent: done / 2, done };
        tally.record(Call::Get, None, times, Ok(Answer::Read { hits: 1, misses: 0 }));
    }
    Report {
        tool: Tool::this(),
        command: "run".to_owned(),
        started: "2026-02-03T04:05:06Z".to_owned(),
        settings: Settings { target: "null".to_owned(), ..Settings::default() },
        ending: Ending::Completed,
        trace_error: None,
        trace: None,
        kept_up: Some(true),
        figures: Figures::new(&tally, Duration::from_secs(DAY), false),
        search: None,
        steps: Vec::new(),
        seconds: seconds.finish(),
        server: Server::default(),
        servers: Vec::new(),
        generator: Generator::default(),
        machine: Machine::default(),
    }
}

/// Runs the tool, and prints and bounds what it takes.
#[expect(clippy::print_stdout, reason = "the figures are for people")]
fn measured(directory: &Path, arguments: &[&str]) {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"))
        .current_dir(directory)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (process, mut most) = (child.id().to_string(), 0);
    let status = loop {
        most = peak(&process).unwrap_or_default().max(most);
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let time = begun.elapsed();
    println!("{}: {} MiB, {time:.1?}", arguments[0], most >> 20);
    assert_eq!(status.code(), Some(0));
    assert!(most > 0 && most < MOST_BYTES, "{most} bytes");
    assert!(time < MOST_TIME, "{time:?}");
}

/// Every second took a histogram of its own, some 160 KiB: a day would have taken 14 GiB, and
/// the comparison of two such days a table of 700 MB for each.
#[test]
#[ignore = "takes minutes without optimisation"]
fn a_day_takes_no_more_than_200_mib() {
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let report = day();
    let recorded = begun.elapsed();
    assert_eq!(report.seconds.len() as u64, DAY);
    assert!(report.seconds.iter().all(|second| second.latency_us.is_some()));
    let path = directory.path().join("day.json");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    serde_json::to_writer(&mut file, &report).unwrap();
    file.flush().unwrap();
    drop(report);
    let (most, size) = (peak("self").unwrap(), fs::metadata(&path).unwrap().len());
    println!("run: {} MiB, {recorded:.1?}; report: {} MiB", most >> 20, size >> 20);
    assert!(most < MOST_BYTES, "{most} bytes");
    measured(directory.path(), &["html", "day.json"]);
    assert!(fs::metadata(directory.path().join("day.html")).unwrap().len() < 4 << 20);
    measured(directory.path(), &["compare", "day.json", "day.json"]);
}
