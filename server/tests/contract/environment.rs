//! Row `Environment`: what each variable takes, and how the binary refuses the
//! rest: exit code 2 and one line that names the variable, the value and what
//! is allowed.

use std::{ffi::OsString, net::TcpListener, os::unix::ffi::OsStringExt, process::Output};

use tiny_cache_server::Settings;

use crate::support::{
    certificates::Certificates,
    deployment::loopback,
    messages::{item, key},
    process::{self, Process},
    run,
};

/// Every variable, with values that are taken.
const ACCEPTED: &[(&str, &[&str])] = &[
    ("CACHE_HOST", &["127.0.0.1", "0.0.0.0", "[::]", "::1", " 127.0.0.1 ", ""]),
    ("CACHE_PORT", &["0", "1", "50051", "65535", " 80 ", ""]),
    ("CACHE_HEALTH_HOST", &["127.0.0.1", "0.0.0.0", "[::1]", "::", ""]),
    ("CACHE_HEALTH_PORT", &["0", "8080", "65535", ""]),
    ("CACHE_MAX_ITEMS", &["0", "1", "1000000", ""]),
    ("CACHE_MAX_MEMORY_MB", &["1", "100", "65536", "auto", ""]),
    ("CACHE_MAX_VALUE_BYTES", &["1", "1048576", "104857600", ""]),
    ("CACHE_CLEANUP_INTERVAL", &["1", "10", "3600", ""]),
    ("CACHE_LOG_LEVEL", &["DEBUG", "info", "Warning", "ERROR", "critical", "trace", ""]),
    ("CACHE_LOG_LEVEL_REMOTE", &FALSE),
    ("CACHE_LOG_LEVEL_REMOTE", &TRUE),
    ("CACHE_LOG_FORMAT", &["text", "json", ""]),
    ("CACHE_BACKEND", &["memory", ""]),
    ("CACHE_TLS_ENABLED", &FALSE),
    ("CACHE_TLS_CERT_PATH", &[""]),
    ("CACHE_TLS_KEY_PATH", &[""]),
    ("CACHE_TLS_REQUIRE_CLIENT_AUTH", &FALSE),
    ("CACHE_TLS_CLIENT_CA_PATH", &[""]),
    ("CACHE_EVICTION_POLICY", &["window", "tinylfu", "lru", ""]),
    ("CACHE_WHAT_IF", &FALSE),
    ("CACHE_WHAT_IF", &TRUE),
    ("CACHE_WORKERS", &["1", "2", "16", ""]),
    ("CACHE_SHARDS", &["1", "2", "64", ""]),
    ("CACHE_MAX_BATCH_ITEMS", &["1", "10000", ""]),
    ("CACHE_MAX_CONNECTIONS", &["1", "10000", ""]),
    ("CACHE_MAX_CONCURRENT_STREAMS", &["1", "256", ""]),
    ("CACHE_HANDSHAKE_TIMEOUT_SECONDS", &["1", "10", ""]),
    ("CACHE_SHUTDOWN_GRACE_SECONDS", &["0", "1", "5", "60", ""]),
    // A name that nobody knows is warned about and does no harm.
    ("CACHE_SERVICE_HOST", &["10.0.0.1"]),
];

const FALSE: [&str; 9] = ["0", "false", "FALSE", "no", "No", "n", "off", "oFF", ""];
const TRUE: [&str; 9] = ["1", "true", "True", "yes", "YES", "y", "Y", "on", "ON"];

/// Values that are refused, with a text that the refusal must hold beside the
/// variable and the value: what is allowed.
const REFUSED: &[(&str, &[&str], &str)] = &[
    ("CACHE_HOST", &["not a host", "127.0.0.1:50051", "300.1.1.1"], ""),
    ("CACHE_PORT", &["65536", "-1", "http", "5.5"], "65535"),
    // What Kubernetes injects for a Service called `cache`.
    ("CACHE_PORT", &["tcp://10.96.0.1:50051"], "enableServiceLinks: false"),
    ("CACHE_HEALTH_HOST", &["not a host"], ""),
    ("CACHE_HEALTH_PORT", &["65536", "-1", "http"], "65535"),
    ("CACHE_MAX_ITEMS", &["-1", "many", "1.5"], ""),
    ("CACHE_MAX_MEMORY_MB", &["-1", "lots", "1.5"], "auto"),
    ("CACHE_MAX_VALUE_BYTES", &["-1", "large", "104857601"], ""),
    ("CACHE_CLEANUP_INTERVAL", &["-1", "often"], ""),
    ("CACHE_LOG_LEVEL", &["loud", "5"], "DEBUG"),
    ("CACHE_LOG_LEVEL_REMOTE", &["maybe"], "true"),
    ("CACHE_LOG_FORMAT", &["xml"], "json"),
    ("CACHE_BACKEND", &["disk", "redis://host"], "memory, redis, valkey"),
    ("CACHE_BACKEND_REQUIRED", &["true"], "needs CACHE_BACKEND=redis"),
    ("CACHE_TLS_ENABLED", &["maybe", "2", "tru"], "true"),
    ("CACHE_EVICTION_POLICY", &["fifo"], "lru"),
    ("CACHE_WHAT_IF", &["maybe"], "true"),
    ("CACHE_WORKERS", &["-1", "all"], ""),
    ("CACHE_SHARDS", &["-1", "all"], ""),
    ("CACHE_MAX_BATCH_ITEMS", &["-1", "all"], ""),
    ("CACHE_MAX_CONNECTIONS", &["-1", "all"], ""),
    ("CACHE_MAX_CONCURRENT_STREAMS", &["-1", "all"], ""),
    ("CACHE_HANDSHAKE_TIMEOUT_SECONDS", &["-1", "long"], ""),
    ("CACHE_SHUTDOWN_GRACE_SECONDS", &["-1", "long"], ""),
];

#[test]
fn every_variable_takes_its_values() {
    for (name, values) in ACCEPTED {
        for value in *values {
            if let Err(error) = Settings::from_vars([(*name, *value)]) {
                panic!("{name}={value:?} was refused: {error}");
            }
        }
    }
}

#[test]
fn every_spelling_of_true_switches_tls_on() {
    let made = Certificates::of_this_process();
    let (certificate, key) = (made.server_certificate(), made.server_key());
    for value in TRUE {
        let vars = [
            ("CACHE_TLS_ENABLED", value),
            ("CACHE_TLS_CERT_PATH", &certificate),
            ("CACHE_TLS_KEY_PATH", &key),
        ];
        Settings::from_vars(vars).unwrap();
        // And it is on: without a certificate the start is refused.
        let output = process::output([("CACHE_TLS_ENABLED", value)]);
        assert_refused(&output, &["CACHE_TLS_CERT_PATH"]);
    }
}

#[test]
fn the_binary_refuses_a_wrong_value_with_one_line() {
    for (name, values, allowed) in REFUSED {
        for value in *values {
            // Ports that are free, for a value that is only refused when the address is bound.
            let ports = [("CACHE_PORT", "0"), ("CACHE_HEALTH_PORT", "0")];
            let output = process::output(ports.into_iter().chain([(*name, *value)]));
            assert_refused(&output, &[name, value, allowed]);
        }
    }
}

#[test]
fn the_binary_refuses_a_value_that_is_not_text() {
    let value = OsString::from_vec(b"50051\xff".to_vec());
    let output = process::output([(OsString::from("CACHE_PORT"), value)]);
    assert_refused(&output, &["CACHE_PORT"]);
}

#[test]
fn values_that_do_not_fit_together_are_refused() {
    let made = Certificates::of_this_process();
    let (certificate, key) = (made.server_certificate(), made.server_key());
    let tls = [
        ("CACHE_TLS_ENABLED", "true"),
        ("CACHE_TLS_CERT_PATH", &certificate),
        ("CACHE_TLS_KEY_PATH", &key),
    ];
    let with = |name, value| {
        let mut vars = tls.to_vec();
        vars.retain(|(known, _)| *known != name);
        vars.push((name, value));
        process::output(vars)
    };
    assert_refused(&with("CACHE_TLS_KEY_PATH", ""), &["CACHE_TLS_KEY_PATH"]);
    assert_refused(
        &with("CACHE_TLS_CERT_PATH", "/absent.pem"),
        &["CACHE_TLS_CERT_PATH", "/absent.pem"],
    );
    assert_refused(
        &with("CACHE_TLS_KEY_PATH", "/absent.key"),
        &["CACHE_TLS_KEY_PATH", "/absent.key"],
    );
    // A file, and not one that holds a key.
    assert_refused(
        &with("CACHE_TLS_KEY_PATH", &certificate),
        &["CACHE_TLS_KEY_PATH", &certificate],
    );
    assert_refused(&with("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true"), &["CACHE_TLS_CLIENT_CA_PATH"]);
    // TLS that was asked for and would silently be off, or ask no client.
    for off in ["", "false"] {
        let refused = with("CACHE_TLS_ENABLED", off);
        assert_refused(&refused, &["CACHE_TLS_CERT_PATH", &certificate, "CACHE_TLS_ENABLED=true"]);
    }
    assert_refused(
        &with("CACHE_TLS_CLIENT_CA_PATH", &certificate),
        &["CACHE_TLS_CLIENT_CA_PATH", &certificate, "CACHE_TLS_REQUIRE_CLIENT_AUTH=true"],
    );

    // The largest value is at most the memory limit.
    let output =
        process::output([("CACHE_MAX_MEMORY_MB", "1"), ("CACHE_MAX_VALUE_BYTES", "1048577")]);
    assert_refused(&output, &["CACHE_MAX_VALUE_BYTES", "1048577"]);
}

#[test]
fn a_cache_that_does_not_fit_its_container_is_refused() {
    let within = |vars: &[(&str, &str)]| {
        let refused = Settings::from_vars_within(vars.iter().copied(), Some(128 << 20));
        refused.unwrap_err().to_string()
    };
    for (vars, named) in [
        (&[][..], ["it is the default", "151.3 MiB", "128 MiB", "auto"]),
        (&[("CACHE_MAX_MEMORY_MB", "99")], ["\"99\"", "149.9 MiB", "128 MiB", "auto"]),
    ] {
        let line = within(vars);
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.starts_with("CACHE_MAX_MEMORY_MB: "), "{line}");
        for text in named {
            assert!(line.contains(text), "{text:?} is not in {line}");
        }
    }
}

#[test]
fn an_address_in_use_ends_the_start_with_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for name in ["CACHE_PORT", "CACHE_HEALTH_PORT"] {
        let mut vars = loopback();
        vars.retain(|(known, _)| known != name);
        vars.push((name.to_owned(), port.clone()));
        vars.push(("CACHE_LOG_LEVEL".to_owned(), "ERROR".to_owned()));
        assert_refused(&process::output(vars), &[&port]);
    }
}

#[test]
fn an_unknown_name_is_warned_about_with_the_nearest_known_one() {
    run(async {
        let mut server = Process::start(&[
            ("CACHE_MAX_ITMES", "5"),
            ("CACHE_SERVICE_HOST", "10.96.0.1"),
            ("CACHE_SERVICE_PORT", "50051"),
        ]);
        let mut cache = server.connect().await;
        cache.set(item("k", "v")).await.unwrap();
        assert!(cache.get(key("k")).await.unwrap().found);
        let warnings: Vec<String> = server
            .logged()
            .iter()
            .filter(|line| line["level"] == "WARN")
            .map(ToString::to_string)
            .collect();
        for unknown in ["CACHE_MAX_ITMES", "CACHE_SERVICE_HOST", "CACHE_SERVICE_PORT"] {
            assert!(
                warnings.iter().any(|line| line.contains(unknown)),
                "{unknown} is not in {warnings:?}"
            );
        }
        assert!(warnings.iter().any(|line| line.contains("CACHE_MAX_ITEMS")), "{warnings:?}");
    });
}

#[test]
fn settings_without_effect_are_warned_about_at_the_start() {
    run(async {
        let mut server = Process::start(&[
            ("CACHE_MAX_ITEMS", "1000000"),
            ("CACHE_LOG_LEVEL_REMOTE", "true"),
            ("CACHE_TRACE_KEYS", "true"),
        ]);
        server.connect().await.set(item("k", "v")).await.unwrap();
        let lines = server.logged();
        for void in ["CACHE_MAX_ITEMS=1000000", "CACHE_LOG_LEVEL_REMOTE", "CACHE_TRACE_KEYS"] {
            let warned = lines.iter().any(|line| {
                let message = line["fields"]["message"].as_str().unwrap_or_default();
                line["level"] == "WARN" && message.starts_with(&format!("{void} has no effect"))
            });
            assert!(warned, "{void}: {lines:#?}");
        }
    });
}

#[test]
fn the_default_address_takes_both_families() {
    run(async {
        let mut vars = loopback();
        vars.retain(|(name, _)| name != "CACHE_HOST");
        vars.push(("CACHE_LOG_FORMAT".to_owned(), "json".to_owned()));
        let server = Process::start_exactly(vars);
        let port = server.grpc_addr().port();
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        if server.grpc_addr().is_ipv6() {
            tokio::net::TcpStream::connect(("::1", port)).await.unwrap();
        }
    });
}

#[test]
fn help_lists_every_variable() {
    let output = process::command::<&str>([]).arg("--help").output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for (name, _) in ACCEPTED {
        let known = *name != "CACHE_SERVICE_HOST";
        assert_eq!(help.contains(name), known, "{name} in {help}");
    }
    for default in ["50051", "8080", "10000", "window"] {
        assert!(help.contains(default), "{default} in {help}");
    }
}

#[test]
fn version_tells_the_version() {
    let output = process::command::<&str>([]).arg("--version").output();
    let output = output.unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(env!("CARGO_PKG_VERSION")), "{told}");
}

fn assert_refused(output: &Output, named: &[&str]) {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(output.stdout, b"", "{output:?}");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(said.lines().count(), 1, "not one line: {said}");
    assert!(said.ends_with('\n'), "{said:?}");
    for text in named {
        assert!(said.contains(text), "{text:?} is not in {said}");
    }
}
