//! The command `run` against servers of other systems: each operation and its outcome,
//! errors by their kind, connections that break, servers that are not there.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_peers;
mod program;

use std::{collections::HashSet, fs, process::Command, sync::Arc};

use fake_peers::{BOTH, FakePeer, Manners, System, target};
use program::{Ended, Load, Run, loadtest};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tiny_cache_loadtest::report::{Figures, Report};
use tiny_cache_test_support::nowhere::Nowhere;

/// One request at a time, in an order that is known.
const IN_TURN: &str = "--rate max --in-flight 1 --key-distribution sequential --key-size 2";

fn run(target: &str, options: &str) -> Command {
    let mut command = loadtest("run");
    command.against(target).with(options);
    command
}

/// The report of requests that are made in turn.
#[track_caller]
fn in_turn(server: &FakePeer, options: &str, code: i32) -> Report {
    run(&server.target(), IN_TURN).with(options).report(code)
}

/// The refusal of a run that waits for its server no longer than 300 ms.
#[track_caller]
fn refusal(target: &str, options: &str) -> String {
    run(target, "--connect-timeout 300ms").with(options).run().refusal().to_owned()
}

#[test]
fn every_operation_is_made_and_its_outcome_counted() {
    let paces = ["--rate 2000 --max-slip 1h", "--rate max --in-flight 20"];
    for (system, pace) in BOTH.into_iter().flat_map(|system| paces.map(|pace| (system, pace))) {
        let server = FakePeer::start(system, Manners::default());
        let report = run(&server.target(), pace)
            .with("--mix get=1,set=1,set-if-absent=1,compare-and-set=1,mget=1,mset=1")
            .with("--prefill --keys 50 --batch 4 --requests 600 --connections 3 --threads 2")
            .report(0);
        let figures = &report.figures;
        let count = |name: &str| figures.operations[name].requests;
        assert_eq!((figures.requests, figures.failed), (600, 0));
        assert_eq!(figures.operations.len(), 6);
        assert_eq!(figures.hits, count("get") + 4 * count("mget"));
        assert_eq!(figures.misses, 0);
        // Memcached compares versions: another write in between lets a cas fail.
        let (stored, tried) = (figures.stored, count("compare-and-set"));
        assert!(stored == tried || system == System::Memcached && stored > 0, "{figures:?}");
        assert_eq!(figures.not_stored, count("set-if-absent") + tried - stored);
        assert_eq!(server.connections(), 4, "three for the run, one for the version");
        assert_eq!(report.settings.target, server.target());
        assert_eq!(report.server.before, None);
    }
}

#[test]
fn an_empty_cache_gives_misses_and_takes_conditional_writes() {
    for system in BOTH {
        let server = FakePeer::start(system, Manners::default());
        let run = |mix: &str| -> Figures {
            let options = format!("--keys 30 --requests 30 --batch 2 --mix {mix}");
            in_turn(&server, &options, 0).figures
        };
        assert_eq!(run("get=1").misses, 30);
        assert_eq!(run("mget=1").misses, 60);
        assert_eq!(run("compare-and-set=1").not_stored, 30);
        assert_eq!(run("delete=1").failed, 0);
        assert_eq!(run("set-if-absent=1").stored, 30);
        assert_eq!(run("get=1").hits, 30);
        run("delete=1");
        assert_eq!(run("get=1").misses, 30);
    }
}

#[test]
fn values_of_every_byte_arrive_and_are_found_equal() {
    for system in BOTH {
        let server = FakePeer::start(system, Manners::default());
        let options = "--prefill --keys 10 --value-size 100KiB --requests 10";
        let options = format!("{options} --mix compare-and-set=1");
        assert_eq!(in_turn(&server, &options, 0).figures.stored, 10);
        for key in server.keys() {
            let entry = server.entry(&key).unwrap();
            assert_eq!((entry.value.len(), entry.version), (100 << 10, 2));
            assert_eq!(entry.value.iter().collect::<HashSet<_>>().len(), 256);
            assert!(entry.value.windows(2).any(|pair| pair == b"\r\n"));
        }
    }
}

#[test]
fn a_ttl_goes_with_every_kind_of_write_and_zero_never_expires() {
    for system in BOTH {
        for (ttl, expiry) in [("90s", 90), ("0", 0), ("30d", 2_592_000)] {
            for mix in ["set=1", "mset=1", "set-if-absent=1", "compare-and-set=1"] {
                let server = FakePeer::start(system, Manners::default());
                let prefill = if mix.starts_with("compare") { "--prefill" } else { "" };
                let options = format!("--keys 4 --requests 4 --ttl {ttl} --mix {mix} {prefill}");
                in_turn(&server, &options, 0);
                assert_eq!(server.entry("03").unwrap().expiry, expiry, "{system:?} {mix}");
            }
        }
    }
}

#[test]
fn the_version_of_the_server_is_reported() {
    for (system, version) in
        [(System::Redis, "valkey 8.1.0"), (System::Memcached, "memcached 1.6.99")]
    {
        let server = FakePeer::start(system, Manners::default());
        let report = in_turn(&server, "--keys 4 --requests 4", 0);
        assert_eq!(report.server.version.as_deref(), Some(version));
    }
}

#[test]
fn errors_are_counted_by_their_kind_and_the_first_is_shown_in_full() {
    for (system, line, name) in [
        (
            System::Redis,
            "-OOM command not allowed when used memory > 'maxmemory'.",
            "OUT_OF_MEMORY",
        ),
        (System::Redis, "-ERR no such luck", "REDIS_ERROR"),
        (System::Redis, "-MOVED 3999 127.0.0.1:6381", "REDIS_CLUSTER"),
        (System::Redis, ":7", "BAD_REPLY"),
        (System::Memcached, "SERVER_ERROR object too large for cache", "VALUE_TOO_LARGE"),
        (System::Memcached, "SERVER_ERROR out of memory storing object", "OUT_OF_MEMORY"),
        (System::Memcached, "CLIENT_ERROR bad data chunk", "MEMCACHED_CLIENT_ERROR"),
        (System::Memcached, "EXISTS", "BAD_REPLY"),
    ] {
        let full: &'static str = Box::leak(format!("{line}\r\n").into());
        let manners = Manners { refuse_writes: Some(full), ..Manners::default() };
        let server = FakePeer::start(system, manners);
        let options = "--keys 9 --requests 100 --mix get=1,set=1,mset=1";
        let figures = in_turn(&server, options, 1).figures;
        let writes = ["set", "mset"].map(|name| figures.operations[name].requests);
        assert_eq!(figures.errors[0].kind, name);
        assert_eq!(figures.failed, writes.iter().sum::<u64>());
        let message = &figures.errors[0].first.message;
        let said = line.trim_start_matches('-');
        assert!(message.contains(said) || name == "BAD_REPLY", "{message}");
    }
}

#[test]
fn a_connection_that_breaks_is_replaced_before_the_next_call() {
    for system in BOTH {
        let manners = Manners { hang_up_at: Some("04"), ..Manners::default() };
        let server = FakePeer::start(system, manners);
        let figures = in_turn(&server, "--keys 10 --requests 40 --mix get=1", 1).figures;
        assert_eq!((figures.misses, figures.failed), (36, 4));
        assert_eq!(figures.errors[0].kind, "CONNECTION");
        assert_eq!(server.connections(), 6, "one for the version, and one after each break");
    }
}

#[test]
fn a_call_takes_no_longer_than_the_timeout() {
    for system in BOTH {
        let server = FakePeer::start(system, Manners { hang_on: Some("02"), ..Manners::default() });
        // What comes behind the request that hangs is not answered either.
        let options = "--keys 4 --requests 4 --mix get=1 --timeout 300ms";
        let figures = in_turn(&server, options, 1).figures;
        assert_eq!(figures.errors[0].kind, "TIMED_OUT");
        assert_eq!(figures.errors[0].first.message, "no reply within 300ms");
        assert!(figures.failed >= 2, "{figures:?}");
    }
}

#[test]
fn an_unreachable_server_is_one_line() {
    for system in BOTH {
        let nowhere = Nowhere::find().unwrap();
        let target = target(system, nowhere.address().parse().unwrap());
        let line = refusal(&target, "");
        let expected = format!("cannot reach {target} within 300ms: Connection refused");
        assert!(line.starts_with(&expected), "{line}");
    }
}

#[test]
fn what_speaks_another_protocol_is_one_line() {
    for (system, line, expected) in [
        (System::Redis, "-NOAUTH Authentication required.\r\n", "NOAUTH Authentication required."),
        (System::Redis, "ERROR\r\n", "bad reply: "),
        (System::Memcached, "-ERR unknown command 'version'\r\n", "-ERR unknown command 'version'"),
        (System::Memcached, "CLIENT_ERROR unauthenticated\r\n", "CLIENT_ERROR unauthenticated"),
    ] {
        let manners = Manners { not_a_cache: Some(line), ..Manners::default() };
        let server = FakePeer::start(system, manners);
        let line = refusal(&server.target(), "");
        assert!(line.contains("cannot reach ") && line.contains(expected), "{line}");
    }
}

#[test]
fn what_is_for_tiny_cache_alone_is_refused() {
    for target in ["redis://127.0.0.1:1", "memcached://127.0.0.1:1"] {
        for option in ["--ca", "--server-name"] {
            let line = refusal(target, &format!("{option} x"));
            let needs = "a target that speaks TLS (grpcs:// or rediss://)";
            let expected = format!("{option} works only with {needs}, not {target}");
            assert!(line.starts_with(&expected), "{line}");
        }
        for (option, value) in [("--namespace", "x"), ("--no-namespace", "")] {
            let line = refusal(target, &format!("{option} {value}"));
            let expected = format!("{option} works only with a tiny-cache server, not {target}");
            assert!(line.starts_with(&expected), "{line}");
        }
    }
    let line = refusal("memcached://127.0.0.1:1", "--key-size 251");
    assert!(line.contains("50000 keys take 5 to 250 characters"), "{line}");
    let line = refusal("redis://127.0.0.1:1/x", "");
    assert!(line.contains("expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]"), "{line}");
}

#[test]
fn a_login_and_a_database_of_redis_are_used_and_no_password_is_shown() {
    for (login, user) in [(&["s:e@c"][..], ":s%3Ae%40c@"), (&["me", "s:e@c"], "me:s%3Ae%40c@")] {
        let manners = Manners { login: Some(login), ..Manners::default() };
        let server = FakePeer::start(System::Redis, manners);
        let target = format!("redis://{user}{}/3", server.address());
        let options = "--rate max --requests 10 --mix set=1 --keys 1 --key-size 1";
        let ended = run(&target, options).run().exited(0);
        assert_eq!(server.keys(), ["3/0"]);
        assert!(!format!("{ended:?}").contains("s%3Ae"), "{ended:?}");
        let wrong = format!("redis://{}x@{}", user.trim_end_matches('@'), server.address());
        let line = refusal(&wrong, "");
        assert!(line.contains(": WRONGPASS invalid username-password pair"), "{line}");
        assert!(!line.contains("s%3Ae") && !line.contains("s:e@c"), "{line}");
        let line = refusal(&server.target(), "");
        assert!(line.contains(": NOAUTH Authentication required."), "{line}");
    }
}

#[test]
fn redis_is_driven_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let certified = rcgen::generate_simple_self_signed(vec!["cache.internal".to_owned()]).unwrap();
    fs::write(file("ca.pem"), certified.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let server = FakePeer::start_with(System::Redis, Manners::default(), Some(Arc::new(config)));
    let target = format!("rediss://{}", server.address());
    let ca = format!("--ca {}", file("ca.pem"));
    run(&target, &ca)
        .with("--server-name cache.internal --rate max --requests 200")
        .with("--prefill --keys 50 --value-size 20KiB")
        .run()
        .exited(0);
    assert_eq!(server.keys().len(), 50);
    let line = refusal(&target, &ca);
    assert!(
        line.contains(": TLS: the server's certificate is not valid for name `127.0.0.1`"),
        "{line}"
    );
    let line = refusal(&format!("redis://{}", server.address()), &ca);
    assert!(line.contains("--ca works only with a target that speaks TLS"), "{line}");
}

/// `get a b` asks for two keys, and what stands behind a line end is another command.
#[test]
fn keys_that_memcached_has_no_place_for_are_never_sent() {
    let server = FakePeer::start(System::Memcached, Manners::default());
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t.csv");
    let replay = |options: &str| -> Ended {
        loadtest("replay").arg(&trace).against(server.target()).with(options).run()
    };
    for (key, fault) in [("a b", "a blank"), ("a\tb", "a blank"), ("a\u{7f}b", "a blank")] {
        fs::write(&trace, format!("0,{key},3,10,1,set,60\n0,good,4,10,1,set,60\n")).unwrap();
        let ended = replay("--format twitter").exited(1);
        let table = ended.text();
        assert!(table.contains("1 BAD_KEY, the first by a set of line 1: "), "{table}");
        assert!(table.contains(fault), "{table}");
        assert_eq!(server.keys(), ["good"]);
    }
    let mut command = loadtest("replay");
    command.arg(&trace).against(server.target()).args(["--key-prefix", "my app:"]);
    let ended = command.run();
    let expected = "--key-prefix \"my app:\": memcached";
    assert!(ended.refusal().starts_with(expected), "{ended:?}");
}
