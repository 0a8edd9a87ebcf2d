//! The command `html`, and `--html` of a run: the same page of the same report.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod program;

use std::{fs, path::Path};

use program::{Ended, Run, loadtest};

fn run(directory: &Path, arguments: &str) -> Ended {
    loadtest(arguments).current_dir(directory).run()
}

#[test]
fn a_report_is_drawn_again_from_its_json() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    // What was in the file goes, even where it was longer.
    fs::write(file("run.html"), vec![b'x'; 1_000_000]).unwrap();
    let options = "--target null --rate 1000 --requests 100 --max-slip 1h";
    let files = "--json report.json --html run.html";
    run(directory.path(), &format!("run {options} {files}")).exited(0);
    let page = fs::read_to_string(file("run.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
    assert!(page.contains("run against null"), "{page}");

    run(directory.path(), "html report.json").ended(0, "");
    assert_eq!(fs::read_to_string(file("report.html")).unwrap(), page);
    let printed = run(directory.path(), "html report.json --output -");
    assert_eq!(printed.text(), page);
}

#[test]
fn what_is_no_report_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("other.html");
    fs::write(&other, "{}").unwrap();
    fs::write(directory.path().join("words.json"), "words").unwrap();
    let fields = r#"{"tool": {"name": "tiny-cache-loadtest", "version": "0.0.1"}}"#;
    fs::write(directory.path().join("early.json"), fields).unwrap();
    for (arguments, expected) in [
        ("other.html", "the page would replace the report other.html; name another"),
        ("other.html --output page.html", "other.html: JSON, but no report of tiny-cache-loadtest"),
        ("missing.json", "missing.json: No such file"),
        ("words.json", "words.json: not JSON: expected value at line 1"),
        ("early.json", "early.json: a report of tiny-cache-loadtest 0.0.1, but missing field"),
        ("words.json --output no/page.html", "words.json: not JSON"),
    ] {
        let ended = run(directory.path(), &format!("html {arguments}"));
        assert!(ended.error().contains(expected), "{ended:?}");
    }
    assert_eq!(fs::read_to_string(&other).unwrap(), "{}");
    assert!(!directory.path().join("page.html").exists());
}

#[test]
fn a_page_without_a_place_is_refused_before_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let ended = run(directory.path(), "run --target null --html no/page.html");
    assert!(ended.error().contains("--html no/page.html: No such file"), "{ended:?}");
}
