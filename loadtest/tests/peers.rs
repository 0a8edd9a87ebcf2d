//! The command `run` against servers of other systems: each operation and its outcome,
//! errors by their kind, connections that break, servers that are not there.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_peers;

use std::{
    collections::HashSet,
    fs,
    process::{Command, Output},
    sync::Arc,
};

use fake_peers::{BOTH, FakePeer, Manners, System, target};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::Value;
use tokio::net::TcpSocket;

/// One request at a time, in an order that is known.
const IN_TURN: [&str; 8] =
    ["--rate", "max", "--in-flight", "1", "--key-distribution", "sequential", "--key-size", "2"];

fn run(target: &str, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.args(["run", "--target", target]).args(options);
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs with these options and expects this exit code; gives the JSON report back.
fn report(server: &FakePeer, options: &[&str], code: i32) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.json");
    let output = run(&server.target(), &[options, &["--json", path.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Expects a refusal: exit code 2 and one line, which is returned.
fn refusal(target: &str, options: &[&str]) -> String {
    let output = run(target, options);
    let line = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(output.stdout.is_empty());
    line
}

#[test]
fn every_operation_is_made_and_its_outcome_counted() {
    let mix = "get=1,set=1,set-if-absent=1,compare-and-set=1,mget=1,mset=1";
    let workload = ["--prefill", "--keys", "50", "--mix", mix, "--batch", "4", "--requests", "600"];
    let open = ["--rate", "2000", "--max-slip", "1h", "--connections", "3", "--threads", "2"];
    let closed = ["--rate", "max", "--in-flight", "20", "--connections", "3", "--threads", "2"];
    for system in BOTH {
        for pace in [open, closed] {
            let server = FakePeer::start(system, Manners::default());
            let report = report(&server, &[&pace[..], &workload].concat(), 0);
            let count = |name: &str| report["operations"][name]["requests"].as_u64().unwrap();
            assert_eq!((&report["requests"], &report["failed"]), (&600.into(), &0.into()));
            assert_eq!(report["operations"].as_object().unwrap().len(), 6, "{report}");
            assert_eq!(report["hits"], count("get") + 4 * count("mget"));
            assert_eq!(report["misses"], 0);
            // Memcached compares versions: another write in between lets a cas fail.
            let (stored, tried) = (report["stored"].as_u64().unwrap(), count("compare-and-set"));
            assert!(stored == tried || system == System::Memcached && stored > 0, "{report}");
            assert_eq!(report["not_stored"], count("set-if-absent") + tried - stored);
            assert_eq!(server.connections(), 4, "three for the run, one for the version");
            assert_eq!(report["settings"]["target"], server.target());
            assert_eq!(report["server"]["before"], Value::Null);
        }
    }
}

#[test]
fn an_empty_cache_gives_misses_and_takes_conditional_writes() {
    for system in BOTH {
        let server = FakePeer::start(system, Manners::default());
        let run = |mix: &str| {
            let options = ["--keys", "30", "--requests", "30", "--batch", "2", "--mix", mix];
            report(&server, &[&IN_TURN[..], &options].concat(), 0)
        };
        assert_eq!(run("get=1")["misses"], 30);
        assert_eq!(run("mget=1")["misses"], 60);
        assert_eq!(run("compare-and-set=1")["not_stored"], 30);
        assert_eq!(run("delete=1")["failed"], 0);
        assert_eq!(run("set-if-absent=1")["stored"], 30);
        assert_eq!(run("get=1")["hits"], 30);
        run("delete=1");
        assert_eq!(run("get=1")["misses"], 30);
    }
}

#[test]
fn values_of_every_byte_arrive_and_are_found_equal() {
    for system in BOTH {
        let server = FakePeer::start(system, Manners::default());
        let options = ["--prefill", "--keys", "10", "--value-size", "100KiB", "--requests", "10"];
        let options = [&IN_TURN[..], &options, &["--mix", "compare-and-set=1"]].concat();
        let report = report(&server, &options, 0);
        assert_eq!(report["stored"], 10, "{report}");
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
                let options = ["--keys", "4", "--requests", "4", "--ttl", ttl, "--mix", mix];
                let compared = mix.starts_with("compare");
                let prefill: &[_] = if compared { &["--prefill"] } else { &[] };
                report(&server, &[&IN_TURN[..], &options, prefill].concat(), 0);
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
        let options = ["--keys", "4", "--requests", "4"];
        let report = report(&server, &[&IN_TURN[..], &options].concat(), 0);
        assert_eq!(report["server"]["version"], version);
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
        let options = ["--keys", "9", "--requests", "100", "--mix", "get=1,set=1,mset=1"];
        let report = report(&server, &[&IN_TURN[..], &options].concat(), 1);
        let writes =
            ["set", "mset"].map(|name| report["operations"][name]["requests"].as_u64().unwrap());
        assert_eq!(report["errors"][0]["kind"], name, "{report}");
        assert_eq!(report["failed"], writes.iter().sum::<u64>(), "{report}");
        let message = report["errors"][0]["first"]["message"].as_str().unwrap();
        let said = line.trim_start_matches('-');
        assert!(message.contains(said) || name == "BAD_REPLY", "{message}");
    }
}

#[test]
fn a_connection_that_breaks_is_replaced_before_the_next_call() {
    for system in BOTH {
        let manners = Manners { hang_up_at: Some("04"), ..Manners::default() };
        let server = FakePeer::start(system, manners);
        let options = ["--keys", "10", "--requests", "40", "--mix", "get=1"];
        let report = report(&server, &[&IN_TURN[..], &options].concat(), 1);
        assert_eq!((&report["misses"], &report["failed"]), (&36.into(), &4.into()), "{report}");
        assert_eq!(report["errors"][0]["kind"], "CONNECTION");
        assert_eq!(server.connections(), 6, "one for the version, and one after each break");
    }
}

#[test]
fn a_call_takes_no_longer_than_the_timeout() {
    for system in BOTH {
        let server = FakePeer::start(system, Manners { hang_on: Some("02"), ..Manners::default() });
        // What comes behind the request that hangs is not answered either.
        let options = ["--keys", "4", "--requests", "4", "--mix", "get=1", "--timeout", "300ms"];
        let report = report(&server, &[&IN_TURN[..], &options].concat(), 1);
        assert_eq!(report["errors"][0]["kind"], "TIMED_OUT", "{report}");
        assert_eq!(report["errors"][0]["first"]["message"], "no reply within 300ms");
        assert!(report["failed"].as_u64().unwrap() >= 2, "{report}");
    }
}

#[test]
fn an_unreachable_server_is_one_line() {
    for system in BOTH {
        // Bound and not listened on: it refuses.
        let port = TcpSocket::new_v4().unwrap();
        port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let target = target(system, port.local_addr().unwrap());
        let line = refusal(&target, &["--connect-timeout", "500ms"]);
        let expected = format!("error: cannot reach {target} within 500ms: Connection refused");
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
        let line = refusal(&server.target(), &["--connect-timeout", "500ms"]);
        assert!(line.contains("cannot reach ") && line.contains(expected), "{line}");
    }
}

#[test]
fn what_is_for_tiny_cache_alone_is_refused() {
    for target in ["redis://127.0.0.1:1", "memcached://127.0.0.1:1"] {
        for option in ["--ca", "--server-name"] {
            let line = refusal(target, &[option, "x"]);
            let expected =
                format!("error: {option} is for a target with TLS, grpcs:// or rediss://\n");
            assert_eq!(line, expected);
        }
        for options in [&["--namespace", "x"][..], &["--no-namespace"]] {
            let line = refusal(target, options);
            assert_eq!(line, format!("error: {} is for a tiny-cache server\n", options[0]));
        }
    }
    let line = refusal("memcached://127.0.0.1:1", &["--key-size", "251"]);
    assert!(line.contains("50000 keys take 5 to 250 characters"), "{line}");
    let line = refusal("redis://127.0.0.1:1/x", &[]);
    assert!(line.contains("expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]"), "{line}");
}

#[test]
fn a_login_and_a_database_of_redis_are_used_and_no_password_is_shown() {
    for (login, user) in [(&["s:e@c"][..], ":s%3Ae%40c@"), (&["me", "s:e@c"], "me:s%3Ae%40c@")] {
        let manners = Manners { login: Some(login), ..Manners::default() };
        let server = FakePeer::start(System::Redis, manners);
        let target = format!("redis://{user}{}/3", server.address());
        let options = ["--rate", "max", "--requests", "10", "--mix", "set=1", "--keys", "1"];
        let output = run(&target, &[&options[..], &["--key-size", "1"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(server.keys(), ["3/0"]);
        assert!(!format!("{output:?}").contains("s%3Ae"), "{output:?}");
        let wrong = format!("redis://{}x@{}", user.trim_end_matches('@'), server.address());
        let line = refusal(&wrong, &["--connect-timeout", "300ms"]);
        assert!(line.contains(": WRONGPASS invalid username-password pair"), "{line}");
        assert!(!line.contains("s%3Ae") && !line.contains("s:e@c"), "{line}");
        let line = refusal(&server.target(), &["--connect-timeout", "300ms"]);
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
    let options = ["--ca", &file("ca.pem"), "--rate", "max", "--requests", "200", "--prefill"];
    let named = ["--server-name", "cache.internal", "--keys", "50", "--value-size", "20KiB"];
    let output = run(&target, &[&options[..], &named].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(server.keys().len(), 50);
    let line = refusal(&target, &["--connect-timeout", "300ms", "--ca", &file("ca.pem")]);
    assert!(line.contains(": TLS: invalid peer certificate"), "{line}");
    let line = refusal(&format!("redis://{}", server.address()), &["--ca", &file("ca.pem")]);
    assert!(line.contains("--ca is for a target with TLS, grpcs:// or rediss://"), "{line}");
}

/// `get a b` asks for two keys, and what stands behind a line end is another command.
#[test]
fn keys_that_memcached_has_no_place_for_are_never_sent() {
    let server = FakePeer::start(System::Memcached, Manners::default());
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t.csv");
    for (key, fault) in [("a b", "a blank"), ("a\tb", "a blank"), ("a\u{7f}b", "a blank")] {
        fs::write(&trace, format!("0,{key},3,10,1,set,60\n0,good,4,10,1,set,60\n")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"))
            .args(["replay", trace.to_str().unwrap(), "--target", &server.target()])
            .args(["--format", "twitter"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let table = String::from_utf8_lossy(&output.stdout);
        assert!(table.contains("1 BAD_KEY, the first by a set of line 1: "), "{table}");
        assert!(table.contains(fault), "{table}");
        assert_eq!(server.keys(), ["good"]);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.args(["replay", trace.to_str().unwrap(), "--target", &server.target()]);
    let output = command.args(["--key-prefix", "my app:"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
    let line = stderr(&output);
    assert!(line.starts_with("error: --key-prefix \"my app:\": memcached"), "{line}");
}
