//! `/log-level` beside the contract: the level of the real binary's log changes while it
//! runs, for those who may.

use std::net::{SocketAddr, UdpSocket};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{
    Deployment,
    http::{Http, Response},
    messages::{item, key},
    process::Process,
    run,
};

const CHANGED: &str = "log level changed";

#[test]
fn debug_lines_appear_and_disappear() {
    run(async {
        let mut server = Process::start(&[]);
        let mut cache = server.connect().await;
        let mut http = Http::connect(server.http_addr()).await.unwrap();

        cache.set(item("before", "v")).await.unwrap();
        let response = put(&mut http, b"DEBUG").await;
        assert_eq!(response.status, 200);
        assert_eq!(response.json(), json!({"level": "DEBUG", "previous": "INFO"}));
        assert_eq!(answered(&server.logged_until(CHANGED)), 0);

        cache.get(key("during")).await.unwrap();
        assert_eq!(http.get("/log-level").await.unwrap().json(), json!({"level": "DEBUG"}));
        put(&mut http, b"info").await;
        assert_eq!(answered(&server.logged_until(CHANGED)), 1);

        // The next change is logged after whatever this call logs.
        cache.get(key("after")).await.unwrap();
        assert_eq!(http.get("/log-level").await.unwrap().json(), json!({"level": "INFO"}));
        put(&mut http, b"ERROR").await;
        assert_eq!(answered(&server.logged_until(CHANGED)), 0);
    });
}

#[test]
fn a_change_is_logged_with_both_levels_and_the_peer_at_every_level() {
    run(async {
        let mut server = Process::start(&[]);
        let socket = TcpStream::connect(server.http_addr()).await.unwrap();
        let peer = socket.local_addr().unwrap().to_string();
        let mut http = Http::over(socket);
        let mut previous = "INFO";
        for level in ["ERROR", "WARNING", "ERROR", "TRACE", "DEBUG", "INFO"] {
            put(&mut http, level.as_bytes()).await;
            let lines = server.logged_until(CHANGED);
            let line = lines.last().unwrap();
            assert_eq!(line["level"], "INFO");
            let fields = &line["fields"];
            assert_eq!((&fields["level"], &fields["previous"]), (&json!(level), &json!(previous)));
            assert_eq!(fields["peer"], peer);
            previous = level;
        }
        // What is set again is not a change.
        let response = put(&mut http, b"INFO").await;
        assert_eq!(response.json(), json!({"level": "INFO", "previous": "INFO"}));
        put(&mut http, b"DEBUG").await;
        let lines = server.logged_until(CHANGED);
        assert_eq!(lines.last().unwrap()["fields"]["previous"], "INFO");
        assert_eq!(lines.iter().filter(|line| line["fields"]["message"] == CHANGED).count(), 1);
    });
}

#[test]
fn every_name_is_taken_in_any_case() {
    run(async {
        let server = Process::start(&[]);
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        let mut previous = "INFO";
        for (sent, level) in [
            ("trace", "TRACE"),
            ("Debug", "DEBUG"),
            ("INFO\n", "INFO"),
            (" warning ", "WARNING"),
            ("error", "ERROR"),
            ("CRITICAL", "ERROR"),
        ] {
            let told = put(&mut http, sent.as_bytes()).await.json();
            assert_eq!((&told["level"], &told["previous"]), (&json!(level), &json!(previous)));
            previous = level;
        }
    });
}

#[test]
fn a_body_that_is_no_level_is_refused_and_changes_nothing() {
    run(async {
        let server = Process::start(&[]);
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        for (body, told) in
            [(&b"LOUD"[..], "LOUD"), (b"", "\"\""), (b"\xff\"\n\"", "\\n"), (&[b'x'; 64], "xxxx")]
        {
            let response = put(&mut http, body).await;
            assert_eq!(response.status, 400);
            let message = problem(&response);
            assert!(message.contains(told), "{message}");
            assert!(message.contains("TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL"), "{message}");
        }
        let response = put(&mut http, &[b'x'; 65]).await;
        assert_eq!(response.status, 413);
        assert!(problem(&response).contains("64 bytes"));

        // A body above the limit may cost its connection, and nothing else.
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        assert_eq!(http.get("/log-level").await.unwrap().json()["level"], "INFO");
    });
}

#[test]
fn other_methods_are_told_which_there_are() {
    run(async {
        let server = Process::start(&[]);
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        for method in ["POST", "DELETE", "PATCH", "OPTIONS"] {
            let response = http.send(method, "/log-level", &[]).await.unwrap();
            assert_eq!(response.status, 405, "{method}");
            assert_eq!(response.header("allow"), Some("GET, HEAD, PUT"));
            assert!(problem(&response).contains(method));
        }
        assert_eq!(http.send("PUT", "/log-level/", &[]).await.unwrap().status, 404);
    });
}

#[test]
fn an_answer_carries_the_request_id() {
    run(async {
        let server = Process::start(&[]);
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        let given = [("x-request-id", "change-7")];
        let response = http.send("GET", "/log-level", &given).await.unwrap();
        assert_eq!(response.header("x-request-id"), Some("change-7"));
    });
}

#[test]
fn a_peer_on_the_loopback_is_let_in_over_a_socket_of_both_families() {
    run(async {
        let server = Process::start(&[("CACHE_HEALTH_HOST", "[::]")]);
        let addr = SocketAddr::new("127.0.0.1".parse().unwrap(), server.http_addr().port());
        let mut http = Http::connect(addr).await.unwrap();
        assert_eq!(put(&mut http, b"DEBUG").await.status, 200);
    });
}

/// Where the machine has no other address than the loopback's there is nobody to refuse; the
/// check of the address alone is tested where it stands.
#[test]
fn a_peer_from_elsewhere_is_refused_unless_remote_peers_are_let_in() {
    run(async {
        let Some(elsewhere) = address_beside_the_loopback() else { return };
        for (remote, status) in [("false", 403), ("true", 200)] {
            let server = Process::start(&[
                ("CACHE_HEALTH_HOST", "0.0.0.0"),
                ("CACHE_LOG_LEVEL_REMOTE", remote),
            ]);
            let addr = SocketAddr::new(elsewhere.ip(), server.http_addr().port());
            let mut http = Http::connect(addr).await.unwrap();
            let response = put(&mut http, b"DEBUG").await;
            assert_eq!(response.status, status);
            if status == 403 {
                let message = problem(&response);
                assert!(message.contains("CACHE_LOG_LEVEL_REMOTE"), "{message}");
                assert!(message.contains(&elsewhere.ip().to_string()), "{message}");
                assert_eq!(http.get("/log-level").await.unwrap().status, 403);
                // What every peer may read it still may.
                assert_eq!(http.get("/live").await.unwrap().status, 200);
            }
            let mut here = Http::connect(([127, 0, 0, 1], addr.port()).into()).await.unwrap();
            let level = if status == 403 { "INFO" } else { "DEBUG" };
            assert_eq!(here.get("/log-level").await.unwrap().json()["level"], level);
        }
    });
}

#[test]
fn a_server_without_a_log_of_its_own_has_none_to_change() {
    run(async {
        let site = Deployment::OneWorkerOneShard.start();
        let mut http = Http::connect(site.http_addr()).await.unwrap();
        let response = put(&mut http, b"DEBUG").await;
        assert_eq!(response.status, 404);
        assert!(problem(&response).contains("belongs to the program"));
        let endpoints = &http.get("/").await.unwrap().json()["endpoints"];
        assert_eq!(
            *endpoints,
            json!(["/", "/health", "/ready", "/live", "/stats", "/namespaces", "/metrics"])
        );
    });
}

#[test]
fn the_index_lists_every_path_and_each_of_them_answers() {
    run(async {
        let server = Process::start(&[]);
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        let index = http.get("/").await.unwrap().json();
        let paths: Vec<_> = index["endpoints"].as_array().unwrap().iter().collect();
        let all =
            ["/", "/health", "/ready", "/live", "/stats", "/namespaces", "/metrics", "/log-level"];
        assert_eq!(paths, all);
        for path in all {
            assert_eq!(http.get(path).await.unwrap().status, 200, "{path}");
        }
    });
}

async fn put(http: &mut Http, body: &[u8]) -> Response {
    http.send_body("PUT", "/log-level", body).await.unwrap()
}

fn problem(response: &Response) -> String {
    let body = response.json();
    assert_eq!(body["status"], "error");
    body["message"].as_str().unwrap().to_owned()
}

/// How many requests have a line of their own.
fn answered(lines: &[Value]) -> usize {
    lines.iter().filter(|line| line["fields"]["message"] == "answered").count()
}

/// The address from which this machine would reach others; nothing is sent.
fn address_beside_the_loopback() -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.254:9").ok()?;
    socket.local_addr().ok().filter(|addr| !addr.ip().is_loopback())
}
