//! The binary and traces as people have them: from a pipe, in several files, with broken rows
//! and times that go wrong, and made by the binary itself.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use fake_server::{FakeServer, Manners};
use serde_json::Value;
use tempfile::TempDir;

/// A directory with files in it, and what runs the binary there.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
        command.current_dir(self.dir.path()).args(arguments);
        command
    }

    /// Replays with these arguments; gives the output and the JSON report back.
    fn replay(&self, target: &str, arguments: &[&str], from: Option<&str>) -> (Output, Value) {
        let mut command = self.command(&["replay", "--target", target, "--json", "report.json"]);
        if let Some(name) = from {
            command.stdin(File::open(self.path(name)).unwrap());
        }
        let output = command.args(arguments).output().unwrap();
        let report = fs::read(self.path("report.json")).unwrap_or_else(|_| b"null".to_vec());
        (output, serde_json::from_slice(&report).unwrap())
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_trace_comes_from_a_pipe_and_from_files_alike() {
    let server = FakeServer::start(Manners::default());
    let packed = zstd::encode_all(b"time,key\n3,c\n4,a\n".as_slice(), 1).unwrap();
    let bench = Bench::new(&[("one.csv", b"time,key\n1,a\n2,b\n"), ("two", &packed)]);
    let arguments = ["one.csv", "-", "--in-flight", "1"];
    let (output, report) = bench.replay(&server.target(), &arguments, Some("two"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((&report["requests"], &report["hits"]), (&4.into(), &1.into()), "{report}");
    assert_eq!(report["settings"]["trace"]["files"], serde_json::json!(["one.csv", "-"]));
    assert_eq!(report["trace"]["rows"], 4);
    assert_eq!(server.keys(), ["a", "b", "c"]);
    assert!(stdout(&output).starts_with("trace             one.csv - (csv: time,key)\n"));
}

#[test]
fn a_failed_request_names_the_file_of_its_line() {
    let server = FakeServer::start(Manners { refuse_set_of: Some("c"), ..Manners::default() });
    let bench = Bench::new(&[("one.csv", b"key\na\nb\n"), ("two.csv", b"key\nc\n")]);
    let (output, report) = bench.replay(&server.target(), &["one.csv", "two.csv"], None);
    let first = &report["errors"][0]["first"];
    assert_eq!((&first["trace_file"], &first["trace_line"]), (&"two.csv".into(), &2.into()));
    let table = stdout(&output);
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
    let options =
        ["t.csv", "--skip-broken", "--hash-long-keys", "--speed", "100", "--max-slip", "1h"];
    let (output, report) = bench.replay(&server.target(), &options, None);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(report["duration_seconds"].as_f64().unwrap() < 60.0, "nothing waits for a day");
    let trace = &report["trace"];
    for (field, value) in [
        ("rows", 4.0),
        ("skipped_rows", 1.0),
        ("backwards_rows", 1.0),
        ("longest_backwards_seconds", 86_398.0),
        ("ahead_rows", 1.0),
        ("longest_ahead_seconds", 86_400.0),
        ("max_gap_seconds", 3600.0),
        ("hashed_keys", 1.0),
    ] {
        assert_eq!(trace[field].as_f64(), Some(value), "{field} in {trace}");
    }
    let table = stdout(&output);
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
    let make = |name: &str, more: &[&str]| {
        let arguments = ["trace", "generate", "--accesses", "3000", "--keys", "500", "--output"];
        let output = bench.command(&arguments).arg(name).args(more).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        fs::read(bench.path(name)).unwrap()
    };
    assert!(make("one", &[]) == make("two", &[]));
    assert!(make("one", &[]) != make("two", &["--seed", "2"]));
    make("t.csv", &["--format", "csv"]);
    for (name, format) in [("one", "twitter"), ("t.csv", "csv")] {
        let (output, report) = bench.replay("null", &[name], None);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(report["settings"]["trace"]["format"], format);
        assert_eq!(report["requests"], 3000);
    }
    let output = bench.command(&["trace", "generate", "-o", "none/t.csv"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: cannot write none/t.csv: "), "{output:?}");
}

/// `make replay` built for minutes before it said that its trace is not there.
#[test]
fn the_script_of_make_replay_looks_at_its_inputs_first() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hit-ratios.sh");
    let check = |arguments: &[&str]| {
        let output =
            Command::new("sh").arg(&script).arg("--check").args(arguments).output().unwrap();
        (output.status.code(), stderr(&output))
    };
    assert_eq!(check(&["", "8", "16"]), (Some(0), String::new()), "a made trace");
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
        assert_eq!(code, Some(2), "{line}");
        assert!(line.starts_with(&format!("hit-ratios: {expected}")), "{line}");
    }
}
