//! The Makefile is what people are told it is.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tiny_cache_test_support::process::{Run, program};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The targets that `make help` lists.
fn listed() -> BTreeSet<String> {
    let help = program("make").arg("-C").arg(root()).with("--no-print-directory help").run();
    let names = help.text().lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// The targets in calls of make: `make fmt clippy` has two. A call stands at the start of a line
/// or behind a backtick.
fn called(text: &str) -> Vec<&str> {
    let is_target = |word: &&str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|char| char.is_ascii_lowercase() || char == '-')
    };
    let calls = text.lines().flat_map(|line| {
        let quoted = line.split('`').skip(1).step_by(2);
        quoted.chain([line]).filter_map(|code| code.strip_prefix("make "))
    });
    calls.flat_map(|call| call.split_whitespace().take_while(is_target)).collect()
}

#[test]
fn every_target_that_the_documents_name_is_listed_by_make_help() {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let documents = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let documents: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md"]
        .map(|name| root().join(name))
        .into_iter()
        .chain(documents)
        .collect();
    let (listed, mut count) = (listed(), 0);
    for document in documents {
        for target in called(&fs::read_to_string(&document).unwrap()) {
            assert!(listed.contains(target), "make {target} in {}", document.display());
            count += 1;
        }
    }
    assert!(count > 20, "only {count} calls of make were found");
}

#[test]
fn make_help_lists_every_target_that_is_no_file() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let phony = makefile.lines().filter_map(|line| line.strip_prefix(".PHONY: "));
    // Those behind a variable are made by others.
    let phony = phony.flat_map(str::split_whitespace).filter(|name| !name.starts_with('$'));
    let phony: BTreeSet<String> = phony.map(str::to_owned).collect();
    assert_eq!(listed(), phony);
}

#[test]
fn calls_of_make_are_found_in_prose_and_in_listings() {
    let text = "`make fmt clippy` and `make test-x A=1 b`,\nmake run   # builds\nto make sure";
    assert_eq!(called(text), ["fmt", "clippy", "test-x", "run"]);
}
