//! The rules of every crate: no circle of imports between files, and ways that must not exist,
//! directly or through other files. `architecture.rs` of server, client and load tester
//! say why.

use std::path::Path;

use tiny_cache_test_support::imports::Imports;

/// A room, and the rooms that it must never reach.
type Never = (&'static str, &'static [&'static str]);

const SERVER: &[Never] = &[
    ("call", &["rpc", "service", "command", "store", "telemetry", "transport", "http", "settings"]),
    (
        "histogram",
        &["call", "rpc", "service", "command", "store", "telemetry", "transport", "http"],
    ),
    ("pinned", &["call", "rpc", "service", "command", "store", "telemetry", "transport", "http"]),
    ("cgroup", &["call", "rpc", "service", "command", "store", "telemetry", "transport", "http"]),
    ("reload", &["call", "rpc", "service", "command", "store", "telemetry", "transport", "http"]),
    (
        "access",
        &[
            "call",
            "store",
            "command",
            "service",
            "rpc",
            "transport",
            "http",
            "telemetry",
            "settings",
        ],
    ),
    ("store", &["call", "command", "service", "rpc", "transport", "http", "telemetry", "settings"]),
    ("store", &["tier"]),
    ("tier", &["call", "command", "service", "rpc", "transport", "http", "telemetry", "settings"]),
    ("command", &["rpc", "service", "transport", "http", "telemetry"]),
    ("rejection", &["rpc", "service", "transport", "http", "telemetry"]),
    ("service", &["rpc", "transport", "http", "telemetry"]),
    ("telemetry", &["store", "command", "service", "rpc", "transport", "http", "logging"]),
    ("transport", &["store", "command", "service", "rpc", "call", "settings", "telemetry"]),
    ("rpc", &["settings", "http", "monitor", "worker"]),
    ("http", &["service", "command", "worker", "acceptor"]),
    ("monitor", &["service", "command", "worker", "acceptor"]),
    ("settings", &["server", "rpc", "transport", "telemetry"]),
];

const CLIENT: &[Never] = &[
    ("transport", &["client", "call", "pool", "operation", "request", "error", "builder"]),
    ("pool", &["servers", "ring", "call", "request", "operation", "client"]),
    ("ring", &["servers", "pool", "address", "transport", "call"]),
    ("servers", &["call", "request", "operation", "client", "builder"]),
    ("call", &["request", "operation", "client"]),
    ("request", &["operation", "client"]),
    ("client", &["operation", "builder"]),
];

const COMMAND_LINE: &[Never] = &[
    ("command", &["cli", "man", "shell"]),
    ("session", &["command", "cli"]),
    ("connection", &["command", "cli"]),
];

const LOAD_TESTER: &[Never] = &[
    ("report", &["cli", "run", "replay", "search", "session"]),
    ("engine", &["cli", "run", "replay", "search", "session", "report"]),
    ("peers", &["cli", "engine", "report", "session"]),
    ("trace", &["cli", "engine", "peers", "report"]),
    ("compare", &["cli", "run", "replay", "search", "session"]),
    ("watch", &["cli"]),
];

const TLS: &[Never] = &[];

/// What an HTTP/2 connection is made of knows nothing of the connection.
const HTTP2: &[Never] = &[("hpack", &["connection", "frame"]), ("frame", &["connection"])];

fn check(crate_folder: &str, rules: &[Never]) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_folder).join("src");
    let imports = Imports::read(&src).unwrap_or_else(|error| panic!("{}: {error}", src.display()));
    let circle = imports.cycle().join(" -> ");
    assert_eq!(circle, "", "{crate_folder} has a circle of imports");
    for (room, never) in rules {
        for other in *never {
            assert!(imports.has(room), "{crate_folder} has no {room}; mend the rule");
            assert!(imports.has(other), "{crate_folder} has no {other}; mend the rule");
            let way = imports.reach(room, other).join(" -> ");
            assert_eq!(way, "", "{crate_folder}: {room} must not reach {other}");
        }
    }
}

#[test]
fn the_server_keeps_its_rules() {
    check("server", SERVER);
}

#[test]
fn the_client_keeps_its_rules() {
    check("client", CLIENT);
}

#[test]
fn the_command_line_keeps_its_rules() {
    check("client/cli", COMMAND_LINE);
}

#[test]
fn the_load_tester_keeps_its_rules() {
    check("loadtest", LOAD_TESTER);
}

#[test]
fn the_reader_of_certificates_keeps_its_rules() {
    check("tls", TLS);
}

#[test]
fn the_http2_engine_keeps_its_rules() {
    check("http2", HTTP2);
}
