//! The published schema: that it is up to date, that it fits what runs write, and that it
//! refuses what they do not.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::{fs, path::Path};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use fake_server::{FakeServer, Manners};
use program::{Load, Run, loadtest};
use serde_json::{Value, json};
use tempfile::TempDir;

const ID: &str = "urn:tiny-cache:loadtest-report";

/// What the command prints.
fn printed() -> Value {
    let ended = loadtest("schema").run().exited(0);
    serde_json::from_slice(&ended.stdout).unwrap()
}

/// The schema, ready to judge.
struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.enable_content_assertions();
        compiler.add_resource(ID, printed()).unwrap();
        let index = compiler.compile(ID, &mut schemas).unwrap();
        Self { schemas, index }
    }

    /// Why a report is refused; none if it is not.
    fn complaint(&self, report: &Value) -> Option<String> {
        self.schemas.validate(report, self.index).err().map(|error| format!("{error:#}"))
    }
}

/// Runs with these arguments, and gives the JSON report back.
fn report(target: &str, arguments: &str, code: i32) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let mut run = loadtest(arguments);
    run.with("--connect-timeout 300ms --json report.json").against(target);
    run.current_dir(&directory).run().exited(code);
    json(&directory.path().join("report.json"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A trace that has times.
fn trace() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    fs::write(&path, "0,a,1,10,1,get,0\n0,b,1,10,1,set,60\n0,a,1,10,1,get,0\n").unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

const OPEN: &str = "run --rate 2000 --max-slip 1h --requests 200";

#[test]
fn the_published_schema_is_the_one_of_this_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/loadtest-report.schema.json");
    assert!(
        json(&path) == printed(),
        "out of date; make it anew: cargo run -p tiny-cache-loadtest -- schema > \
         docs/loadtest-report.schema.json"
    );
}

#[test]
fn every_kind_of_run_writes_what_the_schema_says() {
    let judge = Judge::new();
    let server = FakeServer::start(Manners::default());
    let silent = FakeServer::start(Manners { no_stats: true, ..Manners::default() });
    let failing =
        FakeServer::start(Manners { refuse_gets: true, reply_error: true, ..Manners::default() });
    let (_dir, trace) = trace();
    let with = |more: &str| format!("{OPEN} {more}");
    for (server, arguments, code) in [
        (&server, with("--prefill --keys 50"), 0),
        (&server, with("--origin 1ms --mix get=1 --namespace team"), 0),
        (&server, with("--preset twitter/52 --arrivals poisson"), 0),
        (&silent, "run --rate max --requests 200 --in-flight 2".to_owned(), 0),
        (&server, "run --rate 500,2000 --max-slip 1h --requests 50".to_owned(), 0),
        (&failing, with("--mix get=1"), 2),
        (&failing, with("--mix set=1"), 2),
        (&server, format!("replay {trace}"), 0),
        (&server, format!("replay {trace} --speed 100 --max-slip 1h"), 0),
    ] {
        let report = report(&server.target(), &arguments, code);
        assert_eq!(judge.complaint(&report), None, "{arguments:?}: {report}");
    }
}

#[test]
fn a_trace_that_breaks_and_a_null_target_write_it_too() {
    let judge = Judge::new();
    let (dir, trace) = trace();
    fs::write(&trace, "0,a,1,10,1,get,0\n0,a,1,many,1,get,0\n").unwrap();
    let broken = report("null", &format!("replay {trace}"), 2);
    assert!(broken["trace_error"].is_string(), "{broken}");
    assert_eq!(judge.complaint(&broken), None, "{broken}");
    drop(dir);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_writes_it_too() {
    let server = FakeServer::start(Manners::default());
    let dir = tempfile::tempdir().unwrap();
    let mut run = loadtest("run --duration 1h --rate 500 --max-slip 1h --mix get=1");
    let run = run.with("--json report.json").against(server.target()).current_dir(&dir).start();
    server.wait_for_gets(10);
    run.signal("-INT");
    run.end().exited(130);
    let report = json(&dir.path().join("report.json"));
    assert_eq!(report["ending"], "interrupted");
    assert_eq!(Judge::new().complaint(&report), None, "{report}");
}

#[test]
fn what_no_run_writes_is_refused() {
    let judge = Judge::new();
    let good = report("null", OPEN, 0);
    assert_eq!(judge.complaint(&good), None);
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut report = good.clone();
        change(&mut report);
        judge.complaint(&report).unwrap_or_else(|| panic!("accepted: {report}"))
    };
    let object = |report: &mut Value, at: &str| {
        report.pointer_mut(at).unwrap().as_object_mut().unwrap().clone()
    };
    // Every field is there in every object, and no other one.
    for at in ["", "/tool", "/settings", "/settings/workload", "/seconds/0", "/response_us"] {
        for field in object(&mut good.clone(), at).keys() {
            refused(&|report| {
                report.pointer_mut(at).unwrap().as_object_mut().unwrap().remove(field).unwrap();
            });
        }
        let line = refused(&|report| report.pointer_mut(at).unwrap()["surplus"] = json!(1));
        assert!(line.contains("surplus"), "{line}");
    }
    for (at, wrong) in [
        ("/requests", json!("many")),
        ("/requests", json!(-1)),
        ("/ending", json!("exploded")),
        ("/hit_ratio", json!(1.5)),
        ("/duration_seconds", Value::Null),
        ("/started", json!("yesterday")),
        ("/service_histogram", json!("HISTFAAA!")),
        ("/service_histogram", json!("c29tZXRoaW5nIGVsc2U=")),
        ("/seconds/0/failed", json!(0.5)),
        ("/operations/get/requests", Value::Null),
    ] {
        let line = refused(&|report| *report.pointer_mut(at).unwrap() = wrong.clone());
        assert!(line.contains(at), "{line}");
    }
}

/// Descriptions are what tells of units.
#[test]
fn every_field_is_described() {
    fn visit(at: &str, schema: &Value) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            assert!(field["description"].is_string(), "{at}/{name}");
            visit(&format!("{at}/{name}"), field);
        }
    }
    let schema = printed();
    assert_eq!(schema["$id"], ID);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    visit("", &schema);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        assert!(definition["description"].is_string(), "{name}");
        visit(name, definition);
    }
    let histogram = schema["$defs"]["Histogram"]["description"].as_str().unwrap();
    assert!(histogram.contains("HdrHistogram's compressed V2 encoding in base64"), "{histogram}");
}
