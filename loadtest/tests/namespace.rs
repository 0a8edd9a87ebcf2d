//! Where a run works: in a namespace of its own, which it leaves empty however it ends.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use fake_server::{FakeServer, Manners};
use serde_json::Value;

const OPEN: [&str; 6] = ["run", "--rate", "2000", "--max-slip", "1h", "--progress=none"];

fn loadtest(server: &FakeServer, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.args(arguments).args(["--target", &server.target()]).output().unwrap()
}

/// Runs with these arguments, and gives the JSON report and what stdout and stderr have.
fn report(server: &FakeServer, arguments: &[&str]) -> (Value, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("report.json");
    let output = loadtest(server, &[arguments, &["--json", json.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let [table, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (serde_json::from_slice(&fs::read(json).unwrap()).unwrap(), table, said)
}

/// The first run of the README filled the cache, and the next one missed what it had not
/// evicted yet.
#[test]
fn a_run_works_in_a_namespace_of_its_own_and_leaves_it_empty() {
    let server = FakeServer::start(Manners::default());
    let mixes = ["get=50,set=50", "set-if-absent=1", "compare-and-set=1", "mset=1,mget=1"];
    for mix in mixes {
        for prefill in [&[][..], &["--prefill"]] {
            let work = ["--keys", "300", "--requests", "100", "--mix", mix];
            let (report, ..) = report(&server, &[&OPEN[..], &work, prefill].concat());
            let name = report["settings"]["namespaces"][0].as_str().unwrap();
            assert!(name.starts_with("loadtest-"), "{name}");
            assert_eq!(server.keys(), Vec::<String>::new(), "{mix} {prefill:?}");
        }
    }
    let work = ["--origin", "1ms", "--mix", "get=1", "--requests", "100", "--keys", "10"];
    report(&server, &[&OPEN[..], &work].concat());
    assert_eq!(server.keys(), Vec::<String>::new(), "fills");
    let search = ["search", "--slo", "p99<1h", "--from", "500", "--to", "500", "--drain", "1ms"];
    let step = ["--step-duration", "100ms", "--prefill", "--keys", "50", "--max-slip", "1h"];
    loadtest(&server, &[&search[..], &step].concat());
    assert_eq!(server.keys(), Vec::<String>::new(), "search");
}

#[test]
fn two_runs_at_a_time_do_not_meet() {
    let server = FakeServer::start(Manners::default());
    let work = [&OPEN[..], &["--prefill", "--keys", "50", "--requests", "10"]].concat();
    let [one, other] = [(); 2].map(|()| report(&server, &work).0["settings"]["namespaces"].clone());
    assert_ne!(one, other);
}

#[test]
fn a_namespace_that_somebody_named_and_the_shared_one_are_left_as_they_are() {
    let server = FakeServer::start(Manners::default());
    let work = [&OPEN[..], &["--prefill", "--keys", "2", "--key-size", "1", "--requests", "10"]];
    report(&server, &[&work.concat()[..], &["--namespace", "team"]].concat());
    report(&server, &[&work.concat()[..], &["--no-namespace"]].concat());
    assert_eq!(server.keys(), ["0", "1", "team/0", "team/1"]);
}

#[test]
fn what_was_written_goes_although_the_run_ended_badly() {
    let refusing = Manners { refuse_set_of: Some("x"), refuse_gets: true, ..Manners::default() };
    let server = FakeServer::start(refusing);
    let work = ["--prefill", "--keys", "300", "--requests", "100", "--mix", "get=1"];
    let output = loadtest(&server, &[&OPEN[..], &work].concat());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_it_empty_too() {
    let server = FakeServer::start(Manners::default());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.args(OPEN).args(["--target", &server.target(), "--duration", "1h", "--prefill"]);
    command.args(["--keys", "300"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    server.wait_for_gets(10);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(server.keys(), Vec::<String>::new());
}

/// Before the first request there was no report to wait for, and the keys stayed.
#[cfg(unix)]
#[test]
fn an_interrupted_prefill_leaves_it_empty_too() {
    let slow = Manners { per_second: Some(500), ..Manners::default() };
    let server = FakeServer::start(slow);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.args(OPEN).args(["--target", &server.target(), "--duration", "1h", "--prefill"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while server.keys().is_empty() {
        std::thread::yield_now();
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[test]
fn a_namespace_that_cannot_be_emptied_is_named() {
    let server = FakeServer::start(Manners { refuse_removals: true, ..Manners::default() });
    let work = ["--prefill", "--keys", "10", "--requests", "10"];
    let (_, _, said) = report(&server, &[&OPEN[..], &work].concat());
    assert!(said.starts_with("warning: the namespace loadtest-"), "{said}");
    assert!(said.contains(" was not emptied: PERMISSION_DENIED: not for you; "), "{said}");
}

/// 100,000 keys of 1 KiB do not fit into 100 MiB: the report showed 72 % hits, and "Clean".
#[test]
fn a_cache_too_small_for_the_prefill_is_said() {
    let server = FakeServer::start(Manners { room: Some(60), ..Manners::default() });
    let work = ["--prefill", "--keys", "100", "--requests", "100", "--mix", "get=1"];
    let (report, table, said) =
        report(&server, &[&OPEN[..5], &["--progress=lines"], &work].concat());
    let note = "40 entries were evicted during the prefill: the keys do not fit into the server's \
                100.0 MiB, and reads of evicted keys miss; use fewer --keys, a smaller --value-size";
    assert!(said.contains(&format!("prefill: {note}")), "{said}");
    assert!(table.contains(note), "{table}");
    assert_eq!(report["server"]["prefilled"]["evictions"], 40);
}
