//! The command `run` against a small cache server: counts, errors, exit codes, and what a
//! stall does to the two kinds of latency. A request may be sent as late as it likes
//! (`--max-slip`) where slip is not what is tested.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::{fs, process::Command};

use fake_server::{FakeServer, Manners};
use program::{Load, Run, loadtest, loadtest_after};
use tiny_cache_loadtest::report::Latency;
use tiny_cache_test_support::nowhere::Nowhere;

/// Options of an open loop that any machine keeps up with.
const OPEN: &str = "--rate 2000 --max-slip 1h";

fn run(target: &str, options: &str) -> Command {
    let mut command = loadtest("run --connect-timeout 300ms");
    command.against(target).with(options);
    command
}

#[test]
fn an_open_loop_makes_every_planned_request() {
    let server = FakeServer::start(Manners::default());
    for arrivals in ["constant", "poisson"] {
        let mut run = run(&server.target(), OPEN);
        let report = run.with("--requests 501 --threads 2 --arrivals").arg(arrivals).report(0);
        let figures = &report.figures;
        assert_eq!((figures.requests, figures.failed), (501, 0));
        assert_eq!(report.settings.arrivals.as_deref(), Some(arrivals));
        assert_eq!(report.kept_up, Some(true));
        for times in [figures.response_us, figures.service_us, figures.slip_us] {
            assert!(times.unwrap().p99_9 >= 0.0);
        }
    }
}

#[test]
fn a_closed_loop_makes_so_many_requests() {
    let server = FakeServer::start(Manners::default());
    let options = "--rate max --requests 1001 --in-flight 7 --threads 2";
    let figures = run(&server.target(), options).report(0).figures;
    assert_eq!(figures.requests, 1001);
    assert_eq!((figures.response_us, figures.slip_us), (None, None));
    assert!(figures.service_us.unwrap().p50 > 0.0);
    assert!(figures.answered_per_second > 0.0);
}

#[test]
fn a_duration_ends_both_loops() {
    let server = FakeServer::start(Manners::default());
    let [open, closed] = [OPEN, "--rate max"].map(|pace| {
        let mut run = run(&server.target(), pace);
        run.with("--duration 100ms --warm-up 100ms").report(0).figures
    });
    assert_eq!((open.requests, open.warm_up_requests), (200, 200));
    assert!(closed.requests > 0 && closed.warm_up_requests > 0);
}

#[test]
fn a_prefill_writes_every_key_once_so_that_every_read_hits() {
    let server = FakeServer::start(Manners::default());
    let figures = run(&server.target(), OPEN)
        .with("--prefill --keys 300 --key-size 5 --namespace team")
        .with("--value-size 10..20 --ttl 1m --mix get=1 --requests 400")
        .report(0)
        .figures;
    assert_eq!((figures.hits, figures.misses), (400, 0));
    let keys: Vec<String> = (0..300).map(|key| format!("team/{key:05}")).collect();
    assert_eq!(server.keys(), keys);
    for key in keys {
        let (size, ttl) = server.entry(&key).unwrap();
        assert!((10..=20).contains(&size) && ttl == 60, "{key}: {size} bytes, {ttl} s");
    }
}

#[test]
fn every_operation_is_made_and_its_outcome_counted() {
    let server = FakeServer::start(Manners::default());
    let figures = run(&server.target(), OPEN)
        .with("--mix get=1,set=1,set-if-absent=1,compare-and-set=1,mget=1,mset=1")
        .with("--prefill --keys 50 --batch 4 --requests 600")
        .report(0)
        .figures;
    let count = |name: &str| figures.operations[name].requests;
    assert_eq!(figures.operations.len(), 6);
    assert_eq!(figures.hits, count("get") + 4 * count("mget"));
    assert_eq!(figures.misses, 0);
    assert_eq!(figures.stored, count("compare-and-set"), "it knows what is there");
    assert_eq!(figures.not_stored, count("set-if-absent"));
}

#[test]
fn deletes_leave_nothing() {
    let server = FakeServer::start(Manners::default());
    run(&server.target(), OPEN)
        .with("--prefill --keys 50 --mix delete=1 --requests 50")
        .with("--key-distribution sequential --threads 2")
        .report(0);
    assert!(server.keys().is_empty(), "{:?}", server.keys());
}

#[test]
fn some_errors_exit_with_1_and_the_first_is_shown_in_full() {
    let server = FakeServer::start(Manners { reply_error: true, ..Manners::default() });
    let ended = run(&server.target(), OPEN).with("--requests 400 --mix get=50,set=50").run();
    let ended = ended.exited(1);
    let table = ended.text();
    assert!(table.contains(" REPLY_NOT_OK, the first by a set after "), "{table}");
    assert!(table.contains(" s: the reply's own status is 2, not OK\n"), "{table}");
}

#[test]
fn only_errors_exit_with_2_and_the_report() {
    let server = FakeServer::start(Manners { refuse_gets: true, ..Manners::default() });
    for rate in [OPEN, "--rate max"] {
        let ended = run(&server.target(), rate).with("--requests 40 --mix get=1").run();
        assert_eq!(ended.error(), "every request failed");
        assert!(ended.text().contains("  40 INTERNAL, the first by a get"), "{ended:?}");
    }
}

#[test]
fn a_prefill_that_fails_is_one_line() {
    let server = FakeServer::start(Manners { reply_error: true, ..Manners::default() });
    let ended = run(&server.target(), "--prefill --keys 10").run();
    let expected = "the prefill failed: REPLY_NOT_OK: the reply's own status is 2, not OK";
    assert_eq!(ended.refusal(), expected);
}

/// Coordinated omission: while the server stands still, a few requests are on the wire and
/// those that should follow wait. Counted from the sending, the few alone were slow; counted
/// from the instants that were planned, all of them were.
#[test]
fn a_stall_shows_in_the_response_times_and_not_in_the_service_times() {
    let open = "--rate 1000 --max-slip 1h --in-flight 4";
    let [open, closed] = [open, "--rate max --in-flight 1"].map(|pace| {
        let server = FakeServer::start(Manners { stall_at: Some(300), ..Manners::default() });
        let mut run = run(&server.target(), pace);
        run.with("--mix get=1 --requests 2000 --keys 10").report(0).figures
    });
    let seconds = |times: Option<Latency>, at: fn(&Latency) -> f64| at(&times.unwrap()) / 1e6;
    // Half of the requests are planned for the second of the stall.
    assert!(seconds(open.response_us, |times| times.p90) > 0.5, "{open:?}");
    assert!(seconds(open.service_us, |times| times.max) > 0.7, "{open:?}");
    for figures in [&open, &closed] {
        assert!(seconds(figures.service_us, |times| times.p99) < 0.2, "{figures:?}");
    }
}

#[test]
fn several_namespaces_have_the_same_keys_each() {
    let server = FakeServer::start(Manners::default());
    let mut run = run(&server.target(), OPEN);
    let report = run.with("--namespace one,two --prefill --keys 3 --requests 100").report(0);
    assert_eq!(report.settings.namespaces, ["one", "two"]);
    let keys = ["one", "two"].map(|space| (0..3).map(move |key| format!("{space}/{key:016}")));
    assert_eq!(server.keys(), keys.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn rates_are_run_one_after_the_other() {
    let server = FakeServer::start(Manners::default());
    let options = "--rate 500,2000,1000 --max-slip 1h --requests 300";
    let report = run(&server.target(), options).report(0);
    assert_eq!(report.figures.requests, 900);
    let rates = report.steps.iter().map(|step| step.requests_per_second.unwrap().to_string());
    assert_eq!(rates.collect::<Vec<_>>(), ["500", "2000", "1000"]);
    for step in &report.steps {
        assert_eq!((step.figures.requests, step.kept_up), (300, Some(true)));
    }
}

#[test]
fn the_seconds_of_a_run_add_up_to_it() {
    let server = FakeServer::start(Manners::default());
    for pace in [OPEN, "--rate max --in-flight 2"] {
        let mut run = run(&server.target(), pace);
        let report = run.with("--duration 1200ms --warm-up 100ms --threads 2").report(0);
        assert_eq!(report.seconds.len(), 2);
        let sums = report.seconds.iter().fold([0; 4], |sums, second| {
            let counts = [second.requests, second.hits, second.misses, second.failed];
            [0, 1, 2, 3].map(|at| sums[at] + counts[at])
        });
        let figures = &report.figures;
        assert_eq!([figures.requests, figures.hits, figures.misses, figures.failed], sums);
    }
}

#[test]
fn a_generator_that_cannot_keep_up_fails_and_says_so() {
    // A nanosecond between two: no machine sends at that rate.
    let ended = run("null", "--rate 1000000000 --requests 20000 --max-slip 100us").run().exited(1);
    let line = &ended.stderr;
    assert!(line.starts_with("error: the generator could not keep up"), "{line}");
    assert!(line.contains("above --max-slip 100µs"), "{line}");
}

#[test]
fn too_many_requests_under_way_break_the_run_off() {
    let server = FakeServer::start(Manners { stall_at: Some(1), ..Manners::default() });
    let options = "--mix get=1 --max-in-flight 50 --duration 1m --threads 1";
    let ended = run(&server.target(), OPEN).with(options).run().exited(1);
    let line = &ended.stderr;
    assert!(line.starts_with("error: broken off: more than --max-in-flight"), "{line}");
    assert!(ended.text().contains("requests                    50\n"), "{ended:?}");
}

/// Those that waited for the wire when the run was stopped were missing from every figure.
#[test]
fn requests_that_were_due_and_never_sent_are_told() {
    let server = FakeServer::start(Manners { stall_at: Some(1), ..Manners::default() });
    let figures = run(&server.target(), OPEN)
        .with("--in-flight 8 --max-in-flight 50 --mix get=1 --threads 1")
        .report(1)
        .figures;
    let unsent = figures.unsent.unwrap();
    assert_eq!((figures.requests, unsent.requests), (8, 42));
    assert!(unsent.longest_seconds > 0.0);
}

/// The rate was of the time to the last reply: three requests in two seconds and a bit.
#[test]
fn the_rate_is_of_the_time_that_was_planned() {
    let figures = run("null", "--rate 20 --duration 250ms --max-slip 1h").report(0).figures;
    assert_eq!(figures.requests, 5);
    assert!(figures.duration_seconds >= 0.25, "{figures:?}");
}

#[test]
fn a_run_that_does_not_begin_leaves_no_empty_report() {
    let nowhere = Nowhere::find().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let [new, old] = ["new.json", "old.html"].map(|name| dir.path().join(name));
    fs::write(&old, "kept").unwrap();
    let mut run = run(nowhere.address(), "--json new.json --html old.html");
    run.current_dir(&dir).run().refusal();
    assert!(!new.exists());
    assert_eq!(fs::read_to_string(old).unwrap(), "kept");
}

/// Schedulers end a process so, and the report was lost.
#[cfg(unix)]
#[test]
fn sigterm_ends_a_run_as_ctrl_c_does() {
    let server = FakeServer::start(Manners::default());
    let run = run(&server.target(), "--duration 10m --mix get=1 --max-slip 1h").start();
    server.wait_for_gets(50);
    run.signal("-TERM");
    let ended = run.end().exited(130);
    assert!(ended.text().contains(", interrupted\n"), "{ended:?}");
}

#[test]
fn the_null_target_answers_at_once() {
    for rate in [OPEN, "--rate max"] {
        let ended = run("null", rate).with("--requests 1000 --prefill").run().exited(0);
        assert!(ended.text().contains("hit ratio               100.00 %\n"), "{ended:?}");
    }
}

#[test]
fn a_cache_aside_run_fetches_what_misses_and_reports_the_origins_load() {
    let server = FakeServer::start(Manners::default());
    // One request at a time: each key misses once and is there on the next round.
    let figures = run(&server.target(), "--rate max --in-flight 1 --mix get=1 --requests 100")
        .with("--origin 1ms --keys 40 --key-distribution sequential --no-namespace")
        .report(0)
        .figures;
    let origin = figures.origin.unwrap();
    assert_eq!((figures.hits, figures.misses), (60, 40));
    assert_eq!((origin.fetches, origin.share_of_gets), (40, Some(0.4)));
    assert_eq!((figures.requests, server.keys().len()), (100, 40));
    assert!(origin.fetches_per_second > 0.0);
}

#[test]
fn a_fill_that_fails_is_an_error() {
    let server = FakeServer::start(Manners { reply_error: true, ..Manners::default() });
    let mut run = run(&server.target(), OPEN);
    let figures = run.with("--origin 1ms --mix get=1 --requests 20").report(1).figures;
    assert_eq!((figures.requests, figures.failed), (20, 20));
    assert_eq!(figures.errors[0].first.call, "fill");
}

#[test]
fn presets_are_listed_and_run() {
    let server = FakeServer::start(Manners::default());
    let list = loadtest("presets").run();
    for name in
        ["twitter/52", "twitter/12", "twitter/15", "twitter/18", "twitter/4", "meta/kvcache_reg"]
    {
        let is_listed = |line: &str| line.starts_with(&format!("{name} "));
        assert!(list.text().lines().any(is_listed), "{list:?}");
        let mut run = run(&server.target(), OPEN);
        run.with("--keys 100 --prefill --requests 100 --no-namespace --preset").arg(name);
        let report = run.report(0);
        assert_eq!((report.figures.requests, report.figures.failed), (100, 0));
        assert_eq!(report.settings.workload.unwrap().preset.as_deref(), Some(name));
    }
    assert_eq!(server.entry(&format!("{:020}", 7)).unwrap().0, 273, "a value of cluster 52");
}

#[test]
fn bad_flags_are_one_line() {
    for (options, expected) in [
        (
            "--rate fast",
            "expected requests/s above 0 and up to 1000000000, such as 2000 or 0.5, several with \
             commas between, or max",
        ),
        (
            "--rate max --max-slip 1ms",
            "--max-slip works only with an open loop: a --rate that is a number, not max",
        ),
        ("--rate max --arrivals poisson", "--arrivals works only with an open loop"),
        ("--namespace a?b", "expected 1 to 64 characters: first a letter or digit"),
        (
            "--server-metrics x",
            "'x' for '--server-metrics <URL,…>': expected http://HOST:PORT/PATH",
        ),
        ("--prometheus x", "--prometheus x: expected HOST:PORT"),
        ("--key-size 3", "50000 keys take 5 to 256 characters"),
        ("--key-distribution zipf", "zipf:EXPONENT"),
        ("--keys 1 --key-distribution hot:10%:90%", "2 --keys or more"),
        ("--keys 0", "'0' for '--keys <N>': expected a whole number of 1 or more"),
        ("--requests 0", "expected a whole number of 1 or more"),
        ("--threads 0", "expected a number from 1 to 1000000"),
        ("--mix fetch=1", "no operation \"fetch\"; expected one of get, set"),
        ("--value-size file:/nowhere", "/nowhere: No such file"),
        ("--preset twitter/5", "`tiny-cache-loadtest presets` lists"),
        ("--ttl soon", "expected a duration"),
        ("--batch 100001", "--batch 100001 exceeds 100000 keys"),
        ("--duration 1s --requests 5", "cannot be used with"),
        ("--no-such-flag", "unexpected argument '--no-such-flag' found; --help has what there is"),
    ] {
        let ended = run("null", options).run();
        assert!(ended.refusal().contains(expected), "{options:?}: {ended:?}");
    }
}

#[test]
fn a_distribution_that_is_none_is_refused_with_its_forms() {
    for (options, expected) in [
        ("--value-size ten", "expected a size such as 512 or 1KiB, a range such as 64..4096"),
        ("--value-size 2GiB", "value size 2147483648 exceeds 1073741824 bytes"),
        ("--value-size 1..ten", "expected bytes with an optional suffix, such as 512, 1KiB or 2MB"),
        ("--value-size 9..8", "expected a range from the smaller size to the larger"),
        ("--value-size lognormal:0:1", "expected a median of 1 byte or more and a sigma from 0"),
        ("--ttl 1h..1s", "expected a range from the shorter ttl to the longer"),
        ("--ttl 0..1s", "a range of ttls begins above 0, which never expires"),
        ("--ttl 1h=x", "expected TTL=WEIGHT,…, such as 1h=60,1d=40"),
        ("--ttl 99999999h", "exceeds 2147483647 seconds"),
        ("--ttl 1500ms", "a ttl has whole seconds"),
        ("--mix get", "expected OPERATION=WEIGHT,…, such as get=90,set=10"),
        ("--mix get=0", "expected weights that are not negative and not all zero"),
        ("--mix get=1,get=2", "get is there twice"),
        ("--key-distribution zipf:21", "expected uniform, zipf:EXPONENT (0 to 20)"),
    ] {
        let ended = run("null", options).run();
        assert!(ended.refusal().contains(expected), "{options:?}: {ended:?}");
    }
}

#[test]
fn no_command_at_all_gets_the_help() {
    let ended = loadtest("").run().exited(2);
    for command in ["replay", "run", "presets"] {
        assert!(ended.stderr.contains(&format!("\n  {command} ")), "{ended:?}");
    }
}

#[test]
fn an_unreachable_server_is_one_line() {
    let nowhere = Nowhere::find().unwrap();
    let ended = run(nowhere.address(), "").run();
    let expected = format!("cannot reach grpc://{} within", nowhere.address());
    assert!(ended.refusal().starts_with(&expected), "{ended:?}");
}

#[test]
fn a_rate_below_one_a_second_is_kept_and_reported() {
    let server = FakeServer::start(Manners::default());
    let report = run(&server.target(), "--rate 0.5 --duration 100ms --max-slip 1h").report(0);
    assert_eq!(report.figures.requests, 1);
    assert_eq!(report.settings.requests_per_second.unwrap().to_string(), "0.5");
    let ended = run(&server.target(), "--rate 2.5,40 --requests 2 --max-slip 1h").run();
    let table = ended.text();
    assert!(table.contains("\n  2.5 ") && table.contains("\n  40 "), "{table}");
}

/// With many connections, the 1024 descriptors that most shells give were not enough.
#[cfg(unix)]
#[test]
fn the_soft_limit_on_open_files_is_raised_and_the_hard_one_is_named() {
    let server = FakeServer::start(Manners::default());
    let limited = |limits: &str| {
        loadtest_after(limits, "run --rate max --requests 200")
            .with("--connections 150 --in-flight 150 --threads 2")
            .against(server.target())
            .run()
    };
    limited("ulimit -S -n 60").exited(0);
    let ended = limited("ulimit -n 100");
    let expected = "--connections 150 needs 230 open files, and the hard limit is 100; raise";
    assert!(ended.error().starts_with(expected), "{ended:?}");
}
