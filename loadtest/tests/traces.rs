//! The binary and traces as people have them: from a pipe, in several files, with broken rows
//! and times that go wrong, and made by the binary itself.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use fake_server::{FakeServer, Manners};
use program::{Load, Run, loadtest};
use tempfile::TempDir;
use tiny_cache_test_support::process::program;

/// A directory with files in it, and what runs the binary there.
struct Bench(TempDir);

impl Bench {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = loadtest(arguments);
        command.current_dir(&self.0);
        command
    }
}

#[test]
fn a_trace_comes_from_a_pipe_and_from_files_alike() {
    let server = FakeServer::start(Manners::default());
    let packed = zstd::encode_all(b"time,key\n3,c\n4,a\n".as_slice(), 1).unwrap();
    let bench = Bench::new(&[("one.csv", b"time,key\n1,a\n2,b\n"), ("two", &packed)]);
    let mut replay = bench.command("replay one.csv - --in-flight 1");
    replay.against(server.target()).stdin(File::open(bench.path("two")).unwrap());
    let (ended, report) = replay.reported(0);
    assert_eq!((report.figures.requests, report.figures.hits), (4, 1));
    assert_eq!(report.settings.trace.unwrap().files, ["one.csv", "-"]);
    assert_eq!(report.trace.unwrap().rows, 4);
    assert_eq!(server.keys(), ["a", "b", "c"]);
    assert!(ended.text().starts_with("trace             one.csv - (csv: time,key)\n"));
}

#[test]
fn a_failed_request_names_the_file_of_its_line() {
    let server = FakeServer::start(Manners { refuse_set_of: Some("c"), ..Manners::default() });
    let bench = Bench::new(&[("one.csv", b"key\na\nb\n"), ("two.csv", b"key\nc\n")]);
    let mut replay = bench.command("replay one.csv two.csv");
    let (ended, report) = replay.against(server.target()).reported(1);
    let first = &report.figures.errors[0].first;
    assert_eq!((first.trace_file.as_deref(), first.trace_line), (Some("two.csv"), Some(2)));
    let table = ended.text();
    assert!(table.contains("the first by a fill of line 2 of two.csv: "), "{table}");
}

/// Rows of which one is broken, one is a day ahead and the one behind it goes back, and two
/// keys of which one is too long.
#[test]
fn what_is_odd_about_a_trace_is_in_the_table_and_in_the_report() {
    let server = FakeServer::start(Manners::default());
    let long = "k".repeat(300);
    let text = format!("time,key\n10,a\nx,b\n86410,c\n12,d\n13,{long}\n");
    let bench = Bench::new(&[("t.csv", text.as_bytes())]);
    let (ended, report) = bench
        .command("replay t.csv --skip-broken --hash-long-keys --speed 100 --max-slip 1h")
        .against(server.target())
        .reported(0);
    assert!(report.figures.duration_seconds < 60.0, "nothing waits for a day");
    let trace = report.trace.unwrap();
    assert_eq!((trace.rows, trace.skipped_rows, trace.hashed_keys), (4, 1, 1));
    assert_eq!((trace.backwards_rows, trace.longest_backwards_seconds), (1, 86_398.0));
    assert_eq!((trace.ahead_rows, trace.longest_ahead_seconds), (1, 86_400.0));
    assert_eq!(trace.max_gap_seconds, 3600.0);
    let table = ended.text();
    for line in [
        "broken rows       1 left out, the first: t.csv: line 3: time is \"x\"; expected a time",
        "times backwards   1, by up to 23h 59m 58s, the first: t.csv: line 5\n",
        "times ahead       1 by more than 1h, by up to 1day, the first: t.csv: line 4\n",
        "keys hashed       1, the first: t.csv: line 6\n",
    ] {
        assert!(table.contains(line), "{line} in {table}");
    }
}

#[test]
fn a_made_trace_replays_and_is_the_same_for_the_same_seed() {
    let bench = Bench::new(&[]);
    let make = |name: &str, more: &str| {
        let mut generate = bench.command("trace generate --accesses 3000 --keys 500 --output");
        generate.arg(name).with(more).run().exited(0);
        fs::read(bench.path(name)).unwrap()
    };
    assert!(make("one", "") == make("two", ""));
    assert!(make("one", "") != make("two", "--seed 2"));
    make("t.csv", "--format csv");
    for (name, format) in [("one", "twitter"), ("t.csv", "csv")] {
        let report = bench.command("replay --target null").arg(name).report(0);
        assert_eq!(report.settings.trace.unwrap().format, format);
        assert_eq!(report.figures.requests, 3000);
    }
    let ended = bench.command("trace generate -o none/t.csv").run().exited(2);
    assert!(ended.stderr.starts_with("error: cannot write none/t.csv: "), "{ended:?}");
}

#[test]
fn the_best_hit_ratios_of_a_trace_are_printed_for_each_size() {
    let rows = b"time,key,op\n1,a,get\n2,b,get\n3,a,get\n4,b,get\n5,b,del\n6,b,get\n7,a,get\n";
    let bench = Bench::new(&[("t.csv", rows)]);
    let ended = bench.command("trace optimum t.csv --entries 1,2").run().exited(0);
    let table = "reads: 6, keys: 2\n\n     entries    best hits\n           1      33.33 %\n           2      50.00 %\n";
    assert_eq!(ended.text(), table);
    let ended = bench.command("trace optimum t.csv --entries 2 --limit 3").run().exited(0);
    assert!(ended.text().ends_with("           2      33.33 %\n"), "{}", ended.text());

    let bench = Bench::new(&[("w.csv", b"time,key,op\n1,a,set\n")]);
    let ended = bench.command("trace optimum w.csv --entries 2").run().exited(0);
    assert!(ended.text().ends_with("           2     no reads\n"), "{}", ended.text());

    let ended = bench.command("trace optimum t.csv --entries 0").run().exited(2);
    assert!(ended.stderr.contains("expected a whole number of 1 or more"), "{ended:?}");
    let ended = bench.command("trace optimum none.csv --entries 1").run().exited(2);
    assert!(ended.stderr.starts_with("error: "), "{ended:?}");
}

/// `make replay` built for minutes before it said that its trace is not there.
#[test]
fn the_script_of_make_replay_looks_at_its_inputs_first() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hit-ratios.sh");
    let check = |arguments: &[&str]| {
        let ended = program("sh").arg(&script).arg("--check").args(arguments).run();
        (ended.code, ended.stderr)
    };
    assert_eq!(check(&["", "8", "16"]), (0, String::new()), "a made trace");
    for (arguments, expected) in [
        (
            &["none.lis", "8"][..],
            "there is no trace none.lis: name a file with TRACE=FILE, or none",
        ),
        (&["/", "8"], "cannot read the trace /: name another"),
        (&["", "8MB"], "a memory limit is a whole number of MiB from 1, not 8MB"),
        (&["", "0"], "a memory limit is a whole number of MiB from 1, not 0"),
        (&[""], "no memory limit"),
    ] {
        let (code, line) = check(arguments);
        assert_eq!(code, 2, "{line}");
        assert!(line.starts_with(&format!("hit-ratios: {expected}")), "{line}");
    }
}
