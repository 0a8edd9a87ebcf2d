//! The binary against a small cache server: counts, exit codes, error lines, reports.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use fake_server::{FakeServer, Manners};
use program::{Ended, Load, Run, loadtest, read};
use tempfile::TempDir;
use tiny_cache_loadtest::report::{Ending, Figures};

/// A directory with a trace in it, and what runs the binary there.
struct Bench {
    dir: TempDir,
    trace: PathBuf,
}

impl Bench {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trace = dir.path().join(name);
        fs::write(&trace, bytes).unwrap();
        Self { dir, trace }
    }

    fn replay(&self, target: &str, options: &str) -> Command {
        let mut command = loadtest("replay --connect-timeout 300ms");
        command.current_dir(&self.dir).arg(&self.trace).against(target).with(options);
        command
    }

    fn report(&self) -> PathBuf {
        self.dir.path().join("report.json")
    }
}

/// The operations of a report and how many of each there were, by name.
fn made(figures: &Figures) -> Vec<(&str, u64)> {
    figures.operations.iter().map(|(name, of)| (name.as_str(), of.requests)).collect()
}

const ARC: &str = "1 3 0 0\n2 2 0 1\n1 1 0 2\n9 1 0 3\n";

#[test]
fn an_arc_trace_in_order_gives_the_hits_of_its_reuse() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", ARC);
    let report = bench.replay(&server.target(), "--in-flight 1").report(0);
    let figures = &report.figures;
    // 1 2 3, then 2 3 and 1 again, then 9.
    assert_eq!((figures.requests, figures.failed), (7, 0));
    assert_eq!((figures.hits, figures.misses), (3, 4));
    assert_eq!(made(figures), [("fill", 4), ("get", 7)]);
    assert_eq!(figures.origin.as_ref().unwrap().fetches, 4);
    assert_eq!(server.keys(), ["1", "2", "3", "9"]);
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(report.settings.connections, 1, "no more connections than requests in flight");
    assert_eq!(report.server.before.unwrap().entries, 0);
    assert_eq!(report.server.after.unwrap().entries, 4);
    assert!(figures.operations["get"].service_us.unwrap().p99_9 > 0.0);
}

#[test]
fn many_requests_in_flight_serve_every_access_once() {
    let server = FakeServer::start(Manners::default());
    let text: String = (0..3000).map(|n| format!("{} 2 0 {n}\n", n % 400)).collect();
    let bench = Bench::new("t.lis", zstd::encode_all(text.as_bytes(), 1).unwrap());
    let options = "--in-flight 32 --connections 3 --threads 2";
    let figures = bench.replay(&server.target(), options).report(0).figures;
    assert_eq!(figures.requests, 6000);
    assert_eq!(figures.hits + figures.misses, 6000);
    assert_eq!(figures.operations["fill"].requests, figures.misses);
    assert_eq!(server.keys().len(), 401);
    assert_eq!(server.connections(), 4, "three for the replay, one for the figures");
}

#[test]
fn twitter_rows_are_read_written_and_deleted_with_their_size_and_ttl() {
    let server = FakeServer::start(Manners::default());
    let rows = "0,a,1,100,1,get,0\r\n1,a,1,0,1,gets,0\r\n1,b,1,7,1,cas,60\r\n\r\n2,c,1,0,1,get,0\r\n3,b,1,9,1,incr,0\r\n3,d,1,9,1,add,5\r\n4,d,1,0,1,delete,0";
    let bench = Bench::new("cluster.0", rows);
    let options = "--in-flight 1 --value-size 2KiB --ttl 2m";
    let report = bench.replay(&server.target(), options).report(0);
    assert_eq!((report.figures.requests, report.figures.hits), (7, 1));
    assert_eq!(made(&report.figures), [("delete", 1), ("fill", 2), ("get", 3), ("set", 3)]);
    assert_eq!(server.entry("a"), Some((100, 120)));
    assert_eq!(server.entry("b"), Some((9, 0)));
    assert_eq!(server.entry("c"), Some((2048, 120)));
    assert_eq!(server.entry("d"), None);
    assert_eq!(report.settings.trace.unwrap().format, "twitter");
}

#[test]
fn cachelib_rows_are_read_written_and_deleted_as_often_as_they_say() {
    let server = FakeServer::start(Manners::default());
    let rows = "op_time,key,key_size,op,op_count,size,cache_hits,ttl\n7,a,1,GET,3,100,3,0\n7,b,1,SET,2,7,0,60\n8,c,1,GET_LEASE,1,0,0,0\n9,d,1,SET_LEASE,1,9,0,5\n9,d,1,DELETE,1,0,0,0\n";
    let bench = Bench::new("kvcache.csv", rows);
    let options = "--in-flight 1 --value-size 2KiB --ttl 2m";
    let report = bench.replay(&server.target(), options).report(0);
    assert_eq!((report.figures.requests, report.figures.hits), (8, 2));
    assert_eq!(made(&report.figures), [("delete", 1), ("fill", 2), ("get", 4), ("set", 3)]);
    assert_eq!(server.entry("a"), Some((100, 120)));
    assert_eq!(server.entry("b"), Some((7, 60)));
    assert_eq!(server.entry("c"), Some((2048, 120)));
    assert_eq!(server.entry("d"), None);
    assert_eq!(report.settings.trace.unwrap().format, "cachelib");
}

/// Four rows in the first second and one two seconds later, ten times as fast.
#[test]
fn a_trace_can_keep_its_times() {
    let server = FakeServer::start(Manners::default());
    let rows =
        "9,a,1,1,1,get,0\n9,b,1,1,1,get,0\n9,c,1,1,1,get,0\n9,d,1,1,1,get,0\n11,e,1,1,1,get,0\n";
    let bench = Bench::new("cluster.0", rows);
    let report = bench.replay(&server.target(), "--speed 10 --max-slip 1h").report(0);
    let figures = report.figures;
    assert_eq!((figures.requests, report.settings.speed), (5, Some(10.0)));
    assert!(figures.duration_seconds >= 0.2, "{figures:?}");
    assert!(figures.slip_us.is_some() && figures.response_us.is_some());

    let without = Bench::new("t.lis", ARC);
    let ended = without.replay("null", "--speed 1").run();
    assert!(ended.refusal().contains("t.lis (arc) has none; leave it out"), "{ended:?}");
    let ended = without.replay("null", "--max-slip 1s").run();
    assert_eq!(ended.refusal(), "--max-slip works only with --speed, which makes an open loop");
}

#[test]
fn limit_prefix_and_namespace_do_what_they_say() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", ARC);
    let options = "--limit 2 --key-prefix p: --namespace team";
    assert_eq!(bench.replay(&server.target(), options).report(0).figures.requests, 2);
    assert_eq!(server.keys(), ["team/p:1", "team/p:2"]);
}

#[test]
fn a_large_value_passes_in_both_directions() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", "1 1 0 0\n1 1 0 1\n");
    let options = "--in-flight 1 --value-size 6MiB";
    let figures = bench.replay(&server.target(), options).report(0).figures;
    assert_eq!((figures.hits, figures.failed), (1, 0));
    assert_eq!(server.entry("1"), Some((6 << 20, 3600)));
}

#[test]
fn some_errors_exit_with_1_and_the_first_of_each_kind_is_shown() {
    let server = FakeServer::start(Manners { refuse_set_of: Some("3"), ..Manners::default() });
    let bench = Bench::new("t.lis", ARC);
    let ended = bench.replay(&server.target(), "--in-flight 1").run().exited(1);
    let table = ended.text();
    let expected = "  2 RESOURCE_EXHAUSTED, the first by a fill of line 1: Value exceeds maximum allowed cache entry size\n";
    assert!(table.contains(expected), "{table}");
    assert!(table.contains("errors                       2\n"), "{table}");
}

#[test]
fn a_reply_that_says_error_is_an_error() {
    let server = FakeServer::start(Manners { reply_error: true, ..Manners::default() });
    let report = Bench::new("t.lis", ARC).replay(&server.target(), "").report(1);
    assert_eq!(report.figures.errors[0].kind, "REPLY_NOT_OK");
}

#[test]
fn only_errors_exit_with_2_and_the_report() {
    let server = FakeServer::start(Manners { refuse_gets: true, ..Manners::default() });
    let ended = Bench::new("t.lis", ARC).replay(&server.target(), "").run();
    assert_eq!(ended.error(), "every request failed");
    assert!(ended.text().contains("7 INTERNAL"), "{ended:?}");
}

#[test]
fn a_call_beyond_the_timeout_is_counted_as_such() {
    let server = FakeServer::start(Manners { hang_on: Some("9"), ..Manners::default() });
    let bench = Bench::new("t.lis", ARC);
    let figures = bench.replay(&server.target(), "--timeout 100ms").report(1).figures;
    assert_eq!(figures.errors[0].kind, "TIMED_OUT");
    assert_eq!(figures.errors[0].first.message, "no reply within 100ms");
}

#[test]
fn an_unreachable_server_is_one_line_and_exit_2() {
    let ended = Bench::new("t.lis", ARC).replay("127.0.0.1:1", "").run();
    let expected = "cannot reach grpc://127.0.0.1:1 within 300ms: Connection refused";
    assert!(ended.refusal().starts_with(expected), "{ended:?}");
}

#[test]
fn a_listener_that_says_nothing_is_one_line_and_exit_2() {
    // Accepts in the kernel's queue and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let ended = Bench::new("t.lis", ARC).replay(&target, "").run();
    let expected = format!(
        "cannot reach grpc://{target} within 300ms: no answer; check that it runs, and --target"
    );
    assert_eq!(ended.refusal(), expected);
}

#[test]
fn a_server_that_refuses_to_say_its_figures_is_one_line_and_exit_2() {
    let server = FakeServer::start(Manners { refuse_stats: true, ..Manners::default() });
    let target = server.target();
    let ended = Bench::new("t.lis", ARC).replay(&target, "").run();
    let expected = format!(
        "grpc://{target} does not answer as a tiny-cache server: \
         Stats: PERMISSION_DENIED: not for you"
    );
    assert_eq!(ended.refusal(), expected);
}

#[test]
fn a_server_that_comes_within_the_patience_is_waited_for() {
    let port = FakeServer::port();
    let target = port.local_addr().unwrap().to_string();
    let bench = Bench::new("t.lis", ARC);
    let mut replay = loadtest("replay --connect-timeout 20s");
    let replay = replay.arg(&bench.trace).against(target).start();
    // Nothing says that a try has failed; by now one most likely has.
    thread::sleep(Duration::from_millis(300));
    let _server = FakeServer::start_on(port, Manners::default());
    replay.end().exited(0);
}

#[test]
fn a_connection_that_breaks_costs_the_call_under_way_and_is_replaced() {
    let server = FakeServer::start(Manners { hang_up_at: Some("2"), ..Manners::default() });
    let bench = Bench::new("t.lis", "1 4 0 0\n");
    let figures = bench.replay(&server.target(), "--in-flight 1").report(1).figures;
    assert_eq!((figures.requests, figures.failed), (4, 1));
    assert_eq!(figures.errors[0].kind, "UNAVAILABLE");
    assert_eq!(server.keys(), ["1", "3", "4"]);
    assert_eq!(server.connections(), 3, "one for the figures, the one that broke, its successor");
}

#[test]
fn a_server_without_stats_is_driven_all_the_same() {
    let server = FakeServer::start(Manners { no_stats: true, ..Manners::default() });
    let bench = Bench::new("t.lis", ARC);
    let ended = bench.replay(&server.target(), "").run().exited(0);
    assert!(ended.text().contains("\nserver stats      not available\n"), "{ended:?}");
}

#[test]
fn a_wrong_trace_is_one_line_with_its_place_and_exit_2() {
    let cut = {
        let mut packed = zstd::encode_all(ARC.as_bytes(), 1).unwrap();
        packed.truncate(10);
        packed
    };
    for (name, bytes, expected) in [
        ("t.lis", b"".as_slice(), "t.lis: line 1: no access in this file"),
        (
            "t.lis",
            b"1 1 0\n",
            "t.lis: line 1: \"1 1 0\" has 3 columns; expected \"start count 0 n\"",
        ),
        ("t.csv", b"\n\na,b\n", "t.csv: line 3: \"a,b\" fits no format; expected"),
        (
            "t.zst",
            &cut,
            "t.zst: line 1: cannot be read: incomplete frame; expected whole zstd frames",
        ),
        ("t", b"\0\x01\xfe\n", "t: \"\\x00\\x01\\xfe\\n\" fits neither oracle-general nor cache2k"),
        ("t.gz", b"\x1f\x8b\x08", "t.gz: line 1: cannot be read: "),
        (
            "t.bz2",
            b"BZh91AY&SY",
            "t.bz2: is bzip2 data; expected plain data, zstd, gzip, xz or lz4",
        ),
        (
            "t.txt",
            b"1565000000 3304021 512 1\n",
            "could be arc (lines \"start count 0 n\") or csv (a table); say --format arc or",
        ),
    ] {
        // No server is there to be asked: the trace is refused first.
        let ended = Bench::new(name, bytes).replay("127.0.0.1:1", "").run();
        assert!(ended.refusal().contains(expected), "{ended:?}");
    }

    let dir = tempfile::tempdir().unwrap();
    let replay = |path: &str| -> Ended { loadtest("replay").current_dir(&dir).arg(path).run() };
    let ended = replay(".");
    assert!(ended.refusal().ends_with(": is a directory; expected a trace file"), "{ended:?}");
    let ended = replay("none");
    let expected = "none: cannot be opened: No such file or directory";
    assert!(ended.refusal().contains(expected), "{ended:?}");
}

#[test]
fn a_trace_that_breaks_on_the_way_gives_the_report_the_line_and_exit_2() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", format!("{ARC}\n5 x 0 0\n1 1 0 0\n"));
    let ended = bench.replay(&server.target(), "--json report.json").run();
    let line = ended.error();
    assert!(line.contains("t.lis: line 6: count is \"x\"; expected a whole number"), "{line}");
    let report = read(bench.report());
    assert_eq!((report.figures.requests, report.ending), (7, Ending::TraceBroken));
    assert!(report.trace_error.unwrap().contains("line 6"));
}

#[test]
fn a_report_without_a_place_is_refused_before_the_replay() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", ARC);
    let ended = bench.replay(&server.target(), "--json /nowhere/report.json").run();
    let expected = "--json /nowhere/report.json: No such file";
    assert!(ended.refusal().starts_with(expected), "{ended:?}");
    assert!(server.keys().is_empty());
}

#[test]
fn json_replaces_what_was_in_the_file() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", ARC);
    fs::write(bench.report(), "x".repeat(100_000)).unwrap();
    bench.replay(&server.target(), "--json report.json").run().exited(0);
    assert_eq!(read(bench.report()).figures.requests, 7);
}

#[cfg(unix)]
#[test]
fn ctrl_c_lets_requests_under_way_end_and_prints_the_report() {
    // A trace without an end, through a pipe: only the signal can end the run.
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("unused", "");
    let mut replay = loadtest("replay /dev/stdin --json report.json")
        .current_dir(&bench.dir)
        .against(server.target())
        .stdin(Stdio::piped())
        .start();
    let mut pipe = replay.child.stdin.take().unwrap();
    pipe.write_all(&ARC.repeat(100).into_bytes()).unwrap();
    // Nothing shorter says that the replay has begun, in a chunk the reader let go of.
    server.wait_for_gets(256);
    replay.signal("-INT");
    let ended = replay.end().exited(130);
    drop(pipe);
    assert!(ended.text().contains("closed loop       interrupted\n"), "{ended:?}");
    let report = read(bench.report());
    assert_eq!(report.ending, Ending::Interrupted);
    assert!(report.figures.requests >= 256, "{report:?}");
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_does_not_wait_for_requests_under_way() {
    let server = FakeServer::start(Manners { hang_on: Some("1"), ..Manners::default() });
    let bench = Bench::new("t.lis", ARC);
    let replay = bench.replay(&server.target(), "--timeout 1h").start();
    server.wait_for_gets(7);
    let id = replay.child.id().to_string();
    let signals = thread::spawn(move || {
        // The exit of the process ends this: until then, each signal is one Ctrl-C.
        while Command::new("kill")
            .args(["-INT", &id])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
        {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let ended = replay.end().exited(130);
    signals.join().unwrap();
    let said = "interrupted: waiting for the requests under way";
    assert!(ended.stderr.contains(said), "{ended:?}");
}

#[test]
fn help_version_and_completions_are_there() {
    let help = loadtest("replay --help").run();
    for text in [
        "--in-flight <N>",
        "in a closed loop 64]",
        "Examples:",
        "Exit codes:",
        "incr decr",
        "grpcs://",
    ] {
        assert!(help.text().contains(text), "{text} in {help:?}");
    }
    let version = loadtest("--version").run();
    let expected = concat!("tiny-cache-loadtest ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(version.text(), expected);
    let script = loadtest("completions bash").run();
    assert!(script.text().contains("--connect-timeout"));
    loadtest("replay t.lis --in-flight none").run().exited(2);
}
