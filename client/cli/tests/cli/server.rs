//! `stats`, `ping`, `health`, and servers that are not there or not ready.

use std::{
    io::Write,
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;
use tonic::{
    Request, Status,
    service::InterceptorLayer,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::health_reporter};

use tiny_cache_test_support::process::{PATIENCE, Run};

use crate::cache::{Cache, command, nowhere, run};

/// A server that knows nothing but its health.
struct HealthServer {
    target: String,
    /// The request ids that it was sent.
    seen: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl HealthServer {
    fn start(status: ServingStatus) -> Self {
        Self::start_with(status, |_| None)
    }

    /// A server that answers a call with such a failure, if there is one.
    fn start_with(
        status: ServingStatus,
        fail: impl Fn(&Request<()>) -> Option<Status> + Clone + Send + Sync + 'static,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let entered = runtime.enter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let target = incoming.local_addr().unwrap().to_string();
        let (reporter, health) = health_reporter();
        runtime.block_on(reporter.set_service_status("cache.CacheService", status));

        let seen = Arc::new(Mutex::new(Vec::new()));
        let ids = Arc::clone(&seen);
        let note = InterceptorLayer::new(move |request: Request<()>| {
            let id = request.metadata().get("x-request-id");
            ids.lock().unwrap().extend(id.map(|id| id.to_str().unwrap().to_owned()));
            fail(&request).map_or(Ok(request), Err)
        });
        let server = Server::builder().layer(note).add_service(health);
        runtime.spawn(server.serve_with_incoming(incoming));
        drop(entered);
        Self { target, seen, _runtime: runtime }
    }
}

#[test]
fn a_request_id_travels_with_the_call() {
    let server = HealthServer::start(ServingStatus::Serving);
    let run = run(["health", "--target", &server.target, "--request-id", "order-7"]);
    run.ended(0, "serving\n");
    assert_eq!(*server.seen.lock().unwrap(), ["order-7"]);
}

#[test]
fn the_request_id_of_a_reply_is_shown_on_stderr() {
    let cache = Cache::start_with(&[("CACHE_MAX_VALUE_BYTES", "10")]);
    let run = cache.run(["set", "k", "v", "--show-request-id", "--request-id", "order-7"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, "x-request-id=order-7\n"));
    // The server makes one where none is sent; a miss and an error have one as well.
    for (args, code) in [
        (&["get", "k"][..], 0),
        (&["get", "none"], 1),
        (&["mget", "k", "none"], 1),
        (&["stats"], 0),
        (&["ping"], 0),
        (&["set", "k", "much too long"], 2),
    ] {
        let run = cache.command(args).arg("--show-request-id").run();
        let line = run.stderr.lines().next().unwrap_or_default();
        let id = line.strip_prefix("x-request-id=").unwrap_or_default();
        assert!(run.code == code && !id.is_empty(), "{args:?}: {run:?}");
    }
    let quiet = cache.run(["get", "k"]);
    quiet.ended(0, "v");
}

#[test]
fn a_reply_without_a_request_id_says_so() {
    let server = HealthServer::start(ServingStatus::Serving);
    let run = run(["health", "--target", &server.target, "--show-request-id"]);
    assert_eq!((run.text(), run.stderr.as_str()), ("serving\n", "the reply has no x-request-id\n"));
}

/// The context that a call to be traced carries, as a trace's id.
fn trace_of(request: &Request<()>) -> Option<String> {
    let context = request.metadata().get("traceparent")?.to_str().unwrap().to_owned();
    let [version, trace, span, flags] = context.split('-').collect::<Vec<_>>()[..] else {
        panic!("{context}");
    };
    assert_eq!((version, trace.len(), span.len(), flags), ("00", 32, 16, "01"));
    Some(trace.to_owned())
}

/// A server that refuses each call and says that it made a span of it.
fn tracing_server(sent: mpsc::Sender<String>) -> HealthServer {
    HealthServer::start_with(ServingStatus::Serving, move |request| {
        let trace = trace_of(request)?;
        let mut status = Status::unavailable("later");
        let response = format!("00-{trace}-00f067aa0ba902b7-01");
        status.metadata_mut().insert("traceresponse", response.parse().unwrap());
        let _ = sent.send(trace);
        Some(status)
    })
}

#[test]
fn a_call_that_is_traced_prints_the_traces_id() {
    let (sent, traces) = mpsc::channel();
    let HealthServer { target, .. } = &tracing_server(sent);
    for _ in 0..2 {
        let run = run(["health", "--target", target, "--trace"]);
        let line = format!("trace {}", traces.recv().unwrap());
        assert_eq!(run.stderr.lines().next(), Some(&*line), "{run:?}");
    }
    run(["health", "--target", target]).ended(0, "serving\n");
    traces.try_recv().unwrap_err();
}

/// An id was printed under which nothing was ever found.
#[test]
fn a_call_that_the_server_does_not_trace_says_so_in_one_line() {
    let server = HealthServer::start(ServingStatus::Serving);
    let run = run(["health", "--target", &server.target, "--trace"]);
    assert_eq!(run.stdout, b"serving\n");
    assert!(run.stderr.starts_with("not traced: "), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert!(run.stderr.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{run:?}");
}

#[test]
fn a_traced_call_without_a_reply_leaves_it_open_whether_there_is_a_trace() {
    let nowhere = nowhere();
    let run = run(["health", "--target", nowhere.address(), "--trace"]);
    let line = run.stderr.lines().next().unwrap();
    assert!(line.starts_with("trace ") && line.ends_with("no reply came"), "{run:?}");
    assert_eq!(run.code, 2);
}

/// The id is what leads to the cause in the server's logs, and was thrown away.
#[test]
fn an_error_that_the_logs_explain_names_the_request() {
    let HealthServer { target, .. } =
        &HealthServer::start_with(ServingStatus::Serving, |request| {
            let mut status = Status::internal("the server failed");
            let id = request.metadata().get("x-request-id")?;
            status.metadata_mut().insert("x-request-id", id.clone());
            Some(status)
        });
    let run = run(["health", "--target", target, "--request-id", "order-7"]);
    let expected = ": the server failed (request id order-7)";
    assert!(run.error().ends_with(expected), "{run:?}");
}

#[test]
fn stats_are_a_table_or_an_object() {
    let cache = Cache::start_with(&[("CACHE_MAX_MEMORY_MB", "16"), ("CACHE_MAX_ITEMS", "70")]);
    cache.run(["set", "k", "v"]).ended(0, "");
    cache.run(["mget", "k", "k", "k", "none"]);
    let run = cache.run(["stats"]);
    let rows: Vec<_> = run.text().lines().map(|row| row.split_at(26)).collect();
    for row in [
        ("entries", "1"),
        ("entries allowed", "70"),
        ("memory allowed", "16.0 MiB"),
        ("hits", "3"),
        ("misses", "1"),
        ("hit ratio", "75.0 %"),
    ] {
        assert!(rows.iter().any(|(name, value)| (name.trim(), *value) == row), "{}", run.text());
    }

    let stats = cache.run(["stats", "--output", "json"]).json();
    assert_eq!((&stats["entries"], &stats["hits"]), (&1.into(), &3.into()));
    assert_eq!(stats["hit_ratio"], 0.75);
    assert_eq!(stats["max_memory_bytes"], 16 << 20);
    assert_eq!(stats.as_object().unwrap().len(), 13);
}

#[test]
fn a_server_that_is_there_answers_a_ping_and_is_healthy() {
    let cache = Cache::start();
    let run = cache.run(["ping"]);
    let head = format!("grpc://{} answers in ", cache.address());
    assert!(run.code == 0 && run.text().starts_with(&head), "{run:?}");
    let ping = cache.run(["ping", "--output", "json"]).json();
    assert_eq!(ping["alive"], true);
    assert!(ping["milliseconds"].as_f64().unwrap() > 0.0);
    cache.run(["health"]).ended(0, "serving\n");
    cache.run(["health", "--output", "json"]).ended(0, "{\"health\":\"serving\"}\n");
}

#[test]
fn a_server_that_is_not_ready_is_exit_code_1() {
    let HealthServer { target, .. } = &HealthServer::start(ServingStatus::NotServing);
    run(["health", "--target", target]).ended(1, "not_serving\n");
    let ping = run(["ping", "--target", target]);
    ping.ended(1, format!("grpc://{target} takes no calls: its health is not_serving\n"));
    let ping = run(["ping", "--target", target, "--output", "json"]);
    assert_eq!((ping.code, &ping.json()["alive"]), (1, &false.into()));
}

#[test]
fn a_server_that_is_not_there_is_told_at_once_and_in_one_line() {
    let nowhere = nowhere();
    let target = nowhere.address();
    for command in [&["get", "k"][..], &["set", "k", "v"], &["mget", "k"], &["stats"], &["health"]]
    {
        let start = Instant::now();
        let run =
            crate::cache::command(command).args(["--target", target, "--timeout", "50s"]).run();
        let line = run.error();
        let expected = format!("cannot connect to grpc://{target}: Connection refused");
        assert!(line.starts_with(&expected) && line.contains("--target"), "{line}");
        assert!(start.elapsed() < PATIENCE / 2, "it waited for its timeout");
    }
    let ping = run(["ping", "--target", target]);
    assert!(ping.text().starts_with(&format!("grpc://{target} takes no calls: cannot connect")));
    assert_eq!((ping.code, ping.stderr.as_str()), (1, ""));
}

#[test]
fn a_server_that_does_not_answer_is_given_up_after_the_timeout() {
    // The system takes the connection; nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let run = run(["get", "k", "--target", &target, "--timeout", "200ms", "--retries", "2"]);
    let line = run.error();
    let expected = format!("no connection to grpc://{target} within 200ms; check the server, or");
    assert!(line.starts_with(&expected) && line.ends_with("--timeout"), "{line}");
}

/// A server that takes connections and calls, and never answers one.
pub(crate) fn mute() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().to_string();
    // It ends with the test's process.
    thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            // Settings, without any in them (RFC 9113, 6.5): enough for a connection.
            let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
            kept.push(stream);
        }
    });
    target
}

/// The message named the microseconds that were left of the time for the last try, and a
/// batch said nothing of what may have been done.
#[test]
fn a_timeout_names_the_server_and_the_time_that_was_given() {
    let target = &mute();
    let ask = |args: &[&str]| command(args).args(["--target", target, "--timeout", "3s"]).run();
    let reply = format!("no reply from grpc://{target} within 3s");
    let remedy = "; check the server, or allow more with --timeout";
    // At once, for each waits for its timeout.
    thread::scope(|scope| {
        for (args, noted) in [
            (&["get", "k"][..], ""),
            (&["stats", "--retries", "3"], ""),
            (&["mget", "k"], ""),
            (&["mset", "k=v"], "; some of the items may have been written"),
            (&["mdelete", "k"], "; some of the values may have been removed"),
        ] {
            let (ask, reply) = (&ask, &reply);
            scope.spawn(move || {
                assert_eq!(ask(args).error(), format!("{reply}{noted}{remedy}"), "{args:?}");
            });
        }
        ask(&["ping"]).ended(1, format!("grpc://{target} takes no calls: {reply}\n"));
    });
}

#[test]
fn retries_are_made_when_asked_for() {
    let nowhere = nowhere();
    let target = nowhere.address();
    let run = run(["get", "k", "--target", target, "--retries", "2", "--timeout", "50s"]);
    assert!(run.error().contains("(after 3 tries)"), "{run:?}");
}

#[test]
fn namespaces_show_what_they_hold_and_their_quotas() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[namespace.shop]\nmax_entries = 2\nmax_bytes = '5KiB'\n").unwrap();
    let path = file.path().to_str().unwrap();
    let cache = Cache::start_with(&[("CACHE_QUOTAS_PATH", path)]);
    for key in ["a", "b", "c"] {
        cache.run(["set", key, "v", "--namespace", "shop"]).ended(0, "");
    }
    let large = cache.run(["set", "d", &"v".repeat(6000), "--namespace", "shop"]);
    let error = large.exited(2);
    assert!(error.error().contains("quota max_bytes=5120 of namespace \"shop\""), "{error:?}");
    assert!(error.error().ends_with("; `tiny-cache namespaces` shows the quotas"), "{error:?}");

    let http = cache.http_address();
    let run = cache.run(["namespaces", "--http", &http]);
    let line = run.text().lines().find(|line| line.starts_with("shop ")).unwrap();
    let cells: Vec<_> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let (entries, memory, rest) = (cells[1], cells[2], &cells[3..]);
    assert_eq!((entries, rest), ("2 / 2", &["-", "-", "1", "1"][..]));
    assert!(memory.ends_with(" B / 5.0 KiB"), "{memory}");

    let page = cache.run(["namespaces", "--http", &http, "--output", "json"]).json();
    let shop = page["namespaces"].as_array().unwrap().iter().find(|of| of["namespace"] == "shop");
    let quota = &shop.unwrap()["quota"];
    assert_eq!((&quota["max_bytes"], &quota["burst"]), (&5120.into(), &serde_json::Value::Null));

    let nowhere = nowhere();
    let refused = run_at(nowhere.address());
    assert!(refused.error().contains("; check the server's HTTP port (CACHE_HEALTH_PORT, "));
    // The gRPC port is no HTTP port.
    assert!(run_at(cache.address()).error().contains("cannot read http://"));
}

#[test]
fn what_if_shows_each_size_of_memory() {
    let cache = Cache::start_with(&[("CACHE_MAX_MEMORY_MB", "64")]);
    cache.run(["set", "k", "v"]).ended(0, "");
    cache.run(["get", "k"]).exited(0);
    cache.run(["get", "absent"]).exited(1);
    let json = || cache.run(["what-if", "--output", "json"]).json();
    // The server simulates ten times a second.
    let mut told = json();
    while told["reads"] != 2 {
        thread::sleep(Duration::from_millis(20));
        told = json();
    }
    assert_eq!((&told["hit_ratio"], &told["sampled_reads"]), (&0.5.into(), &2.into()));
    let of = |name: &str| -> Vec<_> {
        told["sizes"].as_array().unwrap().iter().map(|size| size[name].clone()).collect()
    };
    assert_eq!(of("memory_times"), [0.5, 1.0, 2.0, 4.0]);
    assert_eq!(of("memory_bytes"), [32 << 20, 64 << 20, 128 << 20, 256 << 20]);
    assert_eq!(of("hit_ratio"), [0.5; 4]);

    let run = cache.run(["what-if"]);
    let lines: Vec<_> = run.text().lines().collect();
    assert_eq!(lines[0], "   memory      bytes    entries  hit ratio");
    assert_eq!(lines[1], "    0.5 x   32.0 MiB          1     50.0 %  not full (0 %)");
    assert_eq!(lines.last(), Some(&"measured 50.0 %, simulated 50.0 %"));

    let off = Cache::start_with(&[("CACHE_WHAT_IF", "false")]);
    let refused = off.run(["what-if"]).exited(2);
    assert!(refused.error().contains("CACHE_WHAT_IF"), "{refused:?}");
}

fn run_at(http: &str) -> tiny_cache_test_support::process::Ended {
    command(["namespaces", "--http", http]).run().exited(2)
}
