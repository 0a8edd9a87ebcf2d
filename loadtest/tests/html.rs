//! The command `html`, and `--html` of a run: the same page of the same report.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn loadtest(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.current_dir(directory).args(arguments).output().unwrap()
}

/// Expects a refusal: exit code 2 and one line, which is returned.
fn refusal(directory: &Path, arguments: &[&str]) -> String {
    let output = loadtest(directory, arguments);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
    line
}

#[test]
fn a_report_is_drawn_again_from_its_json() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    // What was in the file goes, even where it was longer.
    fs::write(file("run.html"), vec![b'x'; 1_000_000]).unwrap();
    let options = ["--rate", "1000", "--requests", "100", "--max-slip", "1h"];
    let files = ["--json", "report.json", "--html", "run.html"];
    let run = loadtest(
        directory.path(),
        &[&["run", "--target", "null"], &options[..], &files[..]].concat(),
    );
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    let page = fs::read_to_string(file("run.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
    assert!(page.contains("run against null"), "{page}");

    let drawn = loadtest(directory.path(), &["html", "report.json"]);
    assert_eq!((drawn.status.code(), drawn.stdout.len()), (Some(0), 0), "{drawn:?}");
    assert_eq!(fs::read_to_string(file("report.html")).unwrap(), page);

    let printed = loadtest(directory.path(), &["html", "report.json", "--output", "-"]);
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), page);
}

#[test]
fn what_is_no_report_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("other.html");
    fs::write(&other, "{}").unwrap();
    let line = refusal(directory.path(), &["html", "other.html"]);
    assert!(line.contains("the page would replace the report other.html; name another"), "{line}");
    let line = refusal(directory.path(), &["html", "other.html", "--output", "page.html"]);
    assert!(line.contains("other.html is not a report as --json writes it: missing"), "{line}");
    let line = refusal(directory.path(), &["html", "missing.json"]);
    assert!(line.contains("cannot read missing.json: No such file"), "{line}");
    assert_eq!(fs::read_to_string(&other).unwrap(), "{}");
    assert!(!directory.path().join("page.html").exists());
}

#[test]
fn a_page_without_a_place_is_refused_before_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let line = refusal(directory.path(), &["run", "--target", "null", "--html", "no/page.html"]);
    assert!(line.contains("--html no/page.html: No such file"), "{line}");
}
