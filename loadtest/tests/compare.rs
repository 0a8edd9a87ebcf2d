//! The command `compare` on files: exit codes, error lines, table and JSON.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod program;

use std::{fs, path::PathBuf};

use program::{Ended, Run, loadtest};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with reports in it.
struct Bench(TempDir);

impl Bench {
    /// Makes a real run, and its only second into twenty.
    fn new() -> (Self, Value) {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.run("run --target null --rate max --requests 2000 --mix get=1 --json real.json");
        let mut report = bench.read("real.json");
        let second = report["seconds"][0].clone();
        let seconds = (0..20).map(|at| {
            let mut second = second.clone();
            second["second"] = json!(at);
            second
        });
        report["seconds"] = seconds.collect();
        report["duration_seconds"] = json!(20.0);
        (bench, report)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    fn write(&self, name: &str, report: &Value) {
        fs::write(self.path(name), report.to_string()).unwrap();
    }

    fn run(&self, arguments: &str) -> Ended {
        loadtest(arguments).current_dir(&self.0).run()
    }
}

/// The report with half of the hits.
fn fewer_hits(report: &Value) -> Value {
    let mut report = report.clone();
    let mut change = |at: &str| {
        let counts = report.pointer_mut(at).unwrap();
        let [hits, misses] = ["hits", "misses"].map(|field| counts[field].as_u64().unwrap());
        counts["hits"] = json!(hits - hits / 2);
        counts["misses"] = json!(misses + hits / 2);
    };
    change("");
    (0..20).for_each(|second| change(&format!("/seconds/{second}")));
    report
}

#[test]
fn nothing_worse_exits_with_0_and_worse_with_1() {
    let (bench, report) = Bench::new();
    bench.write("a.json", &report);
    bench.write("b.json", &fewer_hits(&report));
    let ended = bench.run("compare a.json a.json").exited(0);
    assert!(ended.text().ends_with("\nnothing is worse by more than 5 %\n"), "{ended:?}");
    assert!(!ended.text().contains('\u{1b}'), "colours are for terminals: {ended:?}");

    let ended = bench.run("compare a.json b.json --json out.json").exited(1);
    assert!(ended.text().ends_with("worse by more than 5 %: hit ratio\n"), "{ended:?}");
    let json = bench.read("out.json");
    assert_eq!((&json["before"], &json["after"]), (&json!(["a.json"]), &json!(["b.json"])));
    let lines = json["parts"][0]["lines"].as_array().unwrap();
    let hits = lines.iter().find(|line| line["metric"] == "hit ratio").unwrap();
    assert_eq!((&hits["word"], &hits["change"]), (&json!("worse"), &json!(-0.5)));

    // Better is no failure.
    bench.run("compare b.json a.json").exited(0);
    bench.run("compare a.json b.json --threshold 60%").exited(0);
}

#[test]
fn several_reports_on_each_side_are_taken() {
    let (bench, report) = Bench::new();
    bench.write("a.json", &report);
    bench.write("b.json", &fewer_hits(&report));
    let sides = "--before a.json a.json --after b.json b.json b.json";
    let ended = bench.run(&format!("compare {sides}")).exited(1);
    assert!(ended.text().contains("40 of A, 60 of B"), "{ended:?}");
    assert!(ended.text().contains("warning: few runs, 2 before and 3 after"), "{ended:?}");
}

#[test]
fn a_report_of_another_version_is_read_if_the_fields_are_there() {
    let (bench, mut report) = Bench::new();
    bench.write("a.json", &report);
    report["tool"]["version"] = json!("77.0.0");
    report["news"] = json!({ "of": "tomorrow" });
    bench.write("b.json", &report);
    let ended = bench.run("compare a.json b.json").exited(0);
    assert!(ended.text().contains("; 77.0.0\n"), "{ended:?}");
}

#[test]
fn what_cannot_be_compared_is_one_line() {
    let (bench, report) = Bench::new();
    bench.write("a.json", &report);
    fs::write(bench.path("text.json"), "p99 was fine").unwrap();
    bench.write("list.json", &json!([1, 2]));
    bench.write("other.json", &json!({ "benchmark": "x", "qps": 7 }));
    bench.write("empty.json", &json!({}));
    bench.write("wrk.json", &json!({ "tool": { "name": "wrk", "version": "4" } }));
    let mut without = report.clone();
    without["seconds"] = json!([]);
    bench.write("without.json", &without);
    let mut old = report;
    old["tool"]["version"] = json!("0.0.1");
    old.as_object_mut().unwrap().remove("seconds");
    bench.write("old.json", &old);
    for (name, expected) in [
        ("gone.json", "gone.json: No such file"),
        ("text.json", "text.json: not JSON: expected value at line 1"),
        ("list.json", "list.json: JSON, but no report of tiny-cache-loadtest: it is an array"),
        ("other.json", "it has no tool but benchmark, qps"),
        ("empty.json", "it has no fields"),
        ("wrk.json", "it is one of wrk"),
        ("old.json", "a report of tiny-cache-loadtest 0.0.1, but missing field `seconds`"),
        ("without.json", "nothing can be judged: too few seconds: 0, below 5"),
    ] {
        let ended = bench.run(&format!("compare a.json {name}"));
        assert!(ended.error().contains(expected), "{ended:?}");
    }
}

#[test]
fn wrong_usage_is_refused() {
    let (bench, _) = Bench::new();
    for (arguments, expected) in [
        ("a.json", "2 values required"),
        ("--before a.json", "--after"),
        ("a.json b.json --threshold lots", "expected a percentage from 0% to 100%"),
        ("a.json b.json --confidence 100", "expected a percentage from 50 to 99.9"),
        ("a.json b.json --resamples 5", "100..=100000"),
        ("", "A.json"),
    ] {
        let ended = bench.run(&format!("compare {arguments}"));
        assert!(ended.error().contains(expected), "{arguments:?}: {ended:?}");
    }
}
