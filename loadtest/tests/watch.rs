//! What a run shows and writes while it lasts: the view in a terminal, the files that get a row
//! for each second, and the port for Prometheus.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use fake_server::{FakeServer, Manners};
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer,
        interval_log::{IntervalLogHistogram, IntervalLogIterator, LogEntry},
    },
};
use program::{Load, Run, loadtest, read, signal};
use tiny_cache_loadtest::report::Report;
use tiny_cache_test_support::screen::{Screen, USUAL};

/// A run that only Ctrl-C ends, at a rate that any machine keeps up with.
const ENDLESS: &str = "--rate 500 --max-slip 1h --duration 1h";

/// Ctrl-C, as a key.
const CONTROL_C: &str = "\u{3}";

fn run(server: &FakeServer, options: &str) -> Command {
    let mut command = loadtest("run");
    command.against(server.target()).with(options);
    command
}

fn view(server: &FakeServer, options: &str) -> Screen {
    Screen::run(USUAL, run(server, ENDLESS).with(options))
}

/// The heat strip's cells, without its legend.
fn cells(shown: &str) -> String {
    shown.lines().filter_map(|line| line.split_once('┤')).map(|(_, cells)| cells).collect()
}

#[test]
fn the_view_shows_rates_and_latencies_and_gives_way_to_the_report() {
    let server = FakeServer::start(Manners::default());
    let mut screen = view(&server, "");
    screen.wait_for(|shown| cells(shown).contains('█'));
    let shown = screen.shown();
    for label in ["run", "asked 500/s", "answered", "hit ratio", "in flight", "response", "p99.9"] {
        assert!(shown.contains(label), "{label:?} is not in\n{shown}");
    }
    let latency = shown.lines().find(|line| line.starts_with("last second")).unwrap();
    assert!(latency.contains("µs") || latency.contains("ms"), "{shown}");
    assert!(shown.contains(&server.target()) && shown.contains("so far"), "{shown}");
    assert!(screen.is_coloured() && screen.is_in_use());

    screen.press(CONTROL_C);
    let (code, left) = screen.end();
    assert_eq!(code, 130, "{left}");
    assert!(left.contains("response") && !left.contains('┤'), "the report, without a view: {left}");
}

#[test]
fn the_view_follows_the_size_of_the_terminal_and_has_shades_without_colours() {
    let server = FakeServer::start(Manners::default());
    let mut screen = Screen::run(USUAL, run(&server, ENDLESS).env("NO_COLOR", "1"));
    screen.wait_for(|shown| cells(shown).contains(['░', '▒', '▓', '█']));
    assert!(!screen.is_coloured());
    screen.resize(10, 40);
    screen.wait_for(|shown| shown.contains("p99") && !shown.contains("p90"));
    screen.resize(50, 120);
    screen.wait_for(|shown| shown.contains("p90") && shown.lines().count() > 40);
    screen.press(CONTROL_C);
    assert_eq!(screen.end().0, 130);
}

#[test]
fn a_prefill_has_a_bar_of_its_own() {
    let server = FakeServer::start(Manners::default());
    let mut screen = view(&server, "--prefill --keys 100000000");
    screen.wait_for(|shown| shown.contains("prefill") && shown.contains("left"));
    assert!(screen.is_in_use());
    screen.press(CONTROL_C);
    let (code, left) = screen.end();
    assert!(code == 130 && left.contains("interrupted before the first request"), "{left}");
}

#[test]
fn a_second_control_c_leaves_the_requests_and_restores_the_terminal() {
    let key = "0000000000000000";
    let server = FakeServer::start(Manners { hang_on: Some(key), ..Manners::default() });
    let mut screen = view(&server, "--keys 1 --mix get=1 --timeout 1h --no-namespace");
    screen.wait_for(|shown| shown.contains("in flight"));
    screen.press(CONTROL_C);
    screen.wait_for(|shown| shown.contains("interrupted: waiting for the requests under way"));
    screen.press(CONTROL_C);
    let (code, left) = screen.end();
    assert!(code == 130 && left.contains("abandoned"), "{left}");
}

#[test]
fn a_signal_that_ends_the_run_restores_the_terminal() {
    let server = FakeServer::start(Manners::default());
    let screen = view(&server, "");
    screen.wait_for(|shown| shown.contains("in flight"));
    assert!(screen.is_in_use());
    screen.signal("-TERM");
    assert_eq!(screen.end().0, 130);
}

#[test]
fn a_terminal_that_cannot_or_shall_not_be_drawn_on_is_not() {
    let server = FakeServer::start(Manners::default());
    // Longer than it takes until a view is there.
    let short = "--rate 100 --max-slip 1h --duration 500ms --progress";
    for (progress, term) in [("auto", "dumb"), ("lines", "xterm"), ("none", "xterm")] {
        let mut run = run(&server, short);
        let screen = Screen::run(USUAL, run.arg(progress).env("TERM", term));
        let (code, left, written) = screen.end_with_all();
        assert!(code == 0 && left.contains("response"), "{left}");
        assert!(!written.contains('\u{1b}'), "{written:?}");
    }
    let ended = run(&server, "--progress live").run();
    assert_eq!(ended.error(), "--progress live: stderr is no terminal");
}

/// The counts of a row or of an entry of the report.
type Counts = [u64; 6];

fn counts_of_report(report: &Report) -> Vec<Counts> {
    let counts = report
        .seconds
        .iter()
        .map(|of| [of.step as u64, of.second, of.requests, of.failed, of.hits, of.misses]);
    counts.collect()
}

/// The rows of a file, by name of column.
fn rows(path: &Path) -> Vec<HashMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

/// The histograms of a log with this tag.
fn logged(log: &[u8], tag: &str) -> Vec<(u64, Histogram<u64>)> {
    let entries = IntervalLogIterator::new(log).map(Result::unwrap);
    let read = |entry: &IntervalLogHistogram<'_>| {
        let bytes = BASE64.decode(entry.encoded_histogram()).unwrap();
        let histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!(entry.duration(), Duration::from_secs(1));
        (entry.start_timestamp().as_secs(), histogram)
    };
    entries
        .filter_map(|entry| match entry {
            LogEntry::Interval(entry) if entry.tag().unwrap().as_str() == tag => Some(read(&entry)),
            _ => None,
        })
        .collect()
}

#[test]
fn csv_and_hdr_hold_the_seconds_of_the_report() {
    let server = FakeServer::start(Manners::default());
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let old = "what was there before, and longer than the new first line\n".repeat(99);
    fs::write(path("r.csv"), old).unwrap();
    let open = "--rate 1000,2000 --max-slip 1h --requests 1200";
    for options in [open, "--rate max --requests 300"] {
        let mut run = run(&server, "--json r.json --csv r.csv --hdr r.hlog");
        run.current_dir(&dir).with(options).run().exited(0);
        let report = read(path("r.json"));
        let is_open = options == open;

        let rows = rows(&path("r.csv"));
        let number = |at: usize, name: &str| rows[at][name].parse::<f64>().unwrap();
        let expected = counts_of_report(&report);
        assert!(!is_open || expected.len() >= 3, "{expected:?}");
        let read = (0..rows.len()).map(|at| {
            ["step", "second", "requests", "failed", "hits", "misses"]
                .map(|name| number(at, name) as u64)
        });
        assert_eq!(read.collect::<Vec<_>>(), expected);
        for (at, second) in report.seconds.iter().enumerate() {
            let kind = if is_open { "response" } else { "service" };
            let times = second.latency_us.unwrap();
            for (place, reported) in
                [("p50", times.p50), ("p99.9", times.p99_9), ("max", times.max)]
            {
                let written = number(at, &format!("{kind}_{place}_us"));
                // The last digit may be lost where JSON is read.
                assert!((written - reported).abs() < 1e-6, "{written} and {reported}");
            }
            assert_eq!(rows[at]["response_p50_us"].is_empty(), !is_open);
            humantime::parse_rfc3339(&rows[at]["time"]).unwrap();
        }

        let log = fs::read(path("r.hlog")).unwrap();
        let text = String::from_utf8_lossy(&log);
        assert!(text.contains("#[Histogram log format version 1.3]\n"), "{text}");
        assert!(text.contains("#[StartTime: "), "{text}");
        let service = logged(&log, "service");
        let counted: Vec<_> = service.iter().map(|(_, times)| times.len()).collect();
        assert_eq!(counted, expected.iter().map(|counts| counts[2]).collect::<Vec<_>>());
        assert!(service.is_sorted_by_key(|(at, _)| *at) && service[0].0 == 0, "{text}");
        let response: Vec<_> =
            logged(&log, "response").into_iter().map(|(_, times)| times).collect();
        let reported =
            report.seconds.iter().map(|second| second.histogram.as_ref().unwrap().decode());
        let reported: Vec<_> = reported.take(if is_open { expected.len() } else { 0 }).collect();
        assert_eq!(response, reported);
    }
}

#[test]
fn a_second_is_in_the_files_as_soon_as_it_is_over() {
    let server = FakeServer::start(Manners::default());
    let dir = tempfile::tempdir().unwrap();
    let (csv, hdr) = (dir.path().join("r.csv"), dir.path().join("r.hlog"));
    let mut run = run(&server, ENDLESS).with("--csv r.csv --hdr r.hlog").current_dir(&dir).start();
    let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default().lines().count();
    while lines(&csv) < 2 || lines(&hdr) < 7 {
        assert!(run.is_running());
        thread::sleep(Duration::from_millis(10));
    }
    drop(run);
    assert_eq!(rows(&csv)[0]["second"], "0");
    assert!(!logged(&fs::read(&hdr).unwrap(), "response")[0].1.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_its_file_and_nothing_else() {
    let server = FakeServer::start(Manners::default());
    let dir = tempfile::tempdir().unwrap();
    let mut run = run(&server, "--rate max --requests 100 --json r.json --csv /dev/full");
    let ended = run.with("--hdr /dev/full").current_dir(&dir).run();
    assert_eq!(
        ended.error(),
        "--csv /dev/full: No space left on device (os error 28); \
         --hdr /dev/full: No space left on device (os error 28)"
    );
    assert!(ended.text().contains("service"));
    assert_eq!(read(dir.path().join("r.json")).figures.requests, 100);
}

#[test]
fn what_cannot_be_opened_is_refused_before_the_first_request() {
    let server = FakeServer::start(Manners::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for (option, place, why) in [
        ("--csv", "/nowhere/r.csv", "No such file or directory"),
        ("--hdr", "/nowhere/r.hlog", "No such file or directory"),
        ("--prometheus", &address, "Address already in use"),
        ("--prometheus", "nonsense", "expected HOST:PORT"),
    ] {
        let ended = run(&server, "").args([option, place]).run();
        let expected = format!("{option} {place}: {why}");
        assert!(ended.refusal().starts_with(&expected), "{ended:?}");
    }
    assert_eq!(server.connections(), 0);
}

/// A run with a port, and what the port says.
struct Scraped {
    child: Child,
    address: String,
}

impl Scraped {
    fn start(server: &FakeServer) -> Self {
        let mut run = run(server, ENDLESS);
        run.with("--prometheus 127.0.0.1:0").stdout(Stdio::null());
        let mut child = run.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("metrics: http://").unwrap();
        let address = address.strip_suffix("/metrics").unwrap().to_owned();
        Self { child, address }
    }

    fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        reply
    }

    /// Every sample, after a look at how it is written.
    fn samples(&self) -> Vec<(String, f64)> {
        let reply = self.get("/metrics");
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("openmetrics-text"), "{head}");
        assert!(body.ends_with("# EOF\n"), "{body}");
        let samples = body.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let name = name.strip_prefix("tiny_cache_loadtest_").unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        samples.collect()
    }
}

impl Drop for Scraped {
    fn drop(&mut self) {
        // Where a test failed; it has ended otherwise.
        let _ = self.child.kill();
    }
}

fn sample(samples: &[(String, f64)], name: &str) -> f64 {
    samples.iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("no {name}: {samples:?}")).1
}

#[test]
fn a_run_can_be_scraped_until_it_ends() {
    let server = FakeServer::start(Manners::default());
    let mut scraped = Scraped::start(&server);
    let mut before = scraped.samples();
    loop {
        let now = scraped.samples();
        for name in ["requests_total", "hits_total", "misses_total", "failed_total"] {
            assert!(sample(&now, name) >= sample(&before, name), "{name}: {before:?} {now:?}");
        }
        before = now;
        if sample(&before, "service_seconds_count") > 0.0 {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(sample(&before, "asked_rate"), 500.0);
    assert!(sample(&before, "requests_total") >= sample(&before, "service_seconds_count"));
    for kind in ["response", "service"] {
        let buckets: Vec<_> = before
            .iter()
            .filter(|(name, _)| name.starts_with(&format!("{kind}_seconds_bucket")))
            .map(|(_, count)| *count)
            .collect();
        assert!(buckets.len() == 20 && buckets.is_sorted(), "{buckets:?}");
        let count = sample(&before, &format!("{kind}_seconds_count"));
        assert_eq!(sample(&before, &format!("{kind}_seconds_bucket{{le=\"+Inf\"}}")), count);
        assert!(sample(&before, &format!("{kind}_seconds_sum")) > 0.0);
    }
    assert!(scraped.get("/").starts_with("HTTP/1.1 404"));

    signal(scraped.child.id(), "-INT");
    assert_eq!(scraped.child.wait().unwrap().code(), Some(130));
    assert!(TcpStream::connect(&scraped.address).is_err());
}
