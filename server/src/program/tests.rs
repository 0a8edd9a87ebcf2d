//! Holds up and kills each part of a running server, and looks at it over real sockets.
//!
//! A server that loses a part runs as a child process: this test binary, which runs [`child`].

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{self, Command, Stdio},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::Value;
use tiny_cache_proto::cache::cache_service_client::CacheServiceClient;
use tiny_cache_test_support::certificates::Authority;
use tokio::time::timeout;
use tonic::{Streaming, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};
use tracing::info;

use crate::{
    Part, Server, Settings, Telemetry, logging, program,
    telemetry::{Configured, Traces},
    threads::injected,
};

/// Makes [`child`] a server.
const CHILD: &str = "TINY_CACHE_TEST_CHILD";

/// Long enough that only a server that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the drain lasts, because a call is open that never ends.
const GRACE: Duration = Duration::from_secs(2);

const VARS: [(&str, &str); 7] = [
    ("CACHE_HOST", "127.0.0.1"),
    ("CACHE_PORT", "0"),
    ("CACHE_HEALTH_HOST", "127.0.0.1"),
    ("CACHE_HEALTH_PORT", "0"),
    ("CACHE_WORKERS", "2"),
    ("CACHE_SHUTDOWN_GRACE_SECONDS", "2"),
    ("CACHE_LOG_FORMAT", "json"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_waits_for_a_part_is_not_ready_and_names_it() {
    for part in [Part::Upkeep, Part::Acceptor, Part::Worker(1)] {
        injected::hold(part);
        let settings = Settings::from_vars(VARS).unwrap();
        let server = Server::launch(settings, Telemetry::default()).unwrap();
        let begun = Instant::now();
        // The others may be starting as well.
        while get(server.http_addr(), "/ready").unwrap().1["starting"].as_array().unwrap().len() > 1
        {
            assert!(begun.elapsed() < PATIENCE, "the other parts are not ready");
        }
        for path in ["/ready", "/health"] {
            let (status, page) = get(server.http_addr(), path).unwrap();
            assert_eq!((status, &page["starting"][0]), (503, &Value::from(part.to_string())));
        }
        assert_eq!(get(server.http_addr(), "/live").unwrap().0, 200);
        let mut watched = None;
        if part == Part::Upkeep {
            let (mut watch, first) = watch(&channel(server.grpc_addr()).await).await;
            assert_eq!(first, ServingStatus::NotServing);
            injected::release(part);
            watched = Some(next(&mut watch).await.unwrap());
        }
        injected::release(part);
        server.until_ready().await.unwrap();
        assert_eq!(get(server.http_addr(), "/ready").unwrap().0, 200);
        assert!(watched.is_none_or(|status| status == ServingStatus::Serving));
    }
}

/// Makes a test for each part.
macro_rules! lost {
    ($($name:ident: $part:expr),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                lose($part).await;
            }
        )+
    };
}

lost! {
    a_lost_worker_ends_the_process: Part::Worker(0),
    a_lost_acceptor_ends_the_process: Part::Acceptor,
    a_lost_http_server_ends_the_process: Part::Http,
    a_lost_upkeep_ends_the_process: Part::Upkeep,
    a_lost_log_ends_the_process: Part::Log,
    a_lost_exporter_ends_the_process: Part::Export,
}

/// It runs where there are files to read again: here those of TLS, so that no plain client calls.
#[test]
fn a_lost_reloader_ends_the_process() {
    let directory = tempfile::tempdir().unwrap();
    Authority::new("servers").sign(&["localhost"]).write(directory.path(), "server");
    let path = |name: &str| directory.path().join(name).into_os_string();
    let mut server = Process::start_with(&[
        ("CACHE_TLS_ENABLED", "true".into()),
        ("CACHE_TLS_CERT_PATH", path("server.pem")),
        ("CACHE_TLS_KEY_PATH", path("server.key")),
    ]);
    assert_eq!(get(server.http, "/ready").unwrap().0, 200);
    server.kill(Part::Reload);
    let code = server.process.wait().unwrap().code();
    assert_eq!(code, Some(i32::from(program::LOST)));
    server.assert_one_line_names(Part::Reload);
}

async fn lose(part: Part) {
    let mut server = Process::start(part);
    // The first connection is worker-0's, the second that of worker-1.
    let first = channel(server.grpc).await;
    let (mut of_first, status) = watch(&first).await;
    assert_eq!(status, ServingStatus::Serving);
    let second = channel(server.grpc).await;
    let (mut of_second, status) = watch(&second).await;
    assert_eq!(status, ServingStatus::Serving);
    let open = tokio::spawn(call_without_end(second.clone()));
    CacheServiceClient::new(second).get(tiny_cache_proto::cache::CacheKey::default()).await.ok();
    assert_eq!(get(server.http, "/ready").unwrap().0, 200);

    let killed = Instant::now();
    server.kill(part);
    assert_eq!(next(&mut of_second).await, Some(ServingStatus::NotServing));
    match part {
        Part::Worker(_) => assert_eq!(next(&mut of_first).await, None, "its connection is kept"),
        _ => assert_eq!(next(&mut of_first).await, Some(ServingStatus::NotServing)),
    }
    assert_is_refused(server.grpc);
    if part == Part::Http {
        assert_is_refused(server.http);
    } else {
        for path in ["/ready", "/health"] {
            let (status, page) = get(server.http, path).unwrap();
            assert_eq!((status, &page["lost"]["part"]), (503, &Value::from(part.to_string())));
            assert!(page["lost"]["reason"].is_string(), "{page}");
        }
        assert_eq!(get(server.http, "/live").unwrap().0, 200);
    }
    assert!(!open.is_finished(), "the open call has its grace");

    let code = server.process.wait().unwrap().code();
    let took = killed.elapsed();
    assert_eq!(code, Some(i32::from(program::LOST)));
    assert!(took >= GRACE, "the drain did not wait: {took:?}");
    server.assert_one_line_names(part);
}

/// A call whose message never comes, which holds a drain.
async fn call_without_end(channel: Channel) {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/cache.CacheService/Get");
    let codec = tonic_prost::ProstCodec::<
        tiny_cache_proto::cache::CacheKey,
        tiny_cache_proto::cache::CacheValue,
    >::default();
    let message = tonic::Request::new(stream::pending());
    let _cut_off = grpc.client_streaming(message, path, codec).await;
}

async fn channel(addr: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap()
}

type Watched = Streaming<HealthCheckResponse>;

async fn watch(channel: &Channel) -> (Watched, ServingStatus) {
    let mut health = HealthClient::new(channel.clone());
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let first = next(&mut watched).await.unwrap();
    (watched, first)
}

/// The next status, or `None` when the stream or its connection has ended.
async fn next(watched: &mut Watched) -> Option<ServingStatus> {
    let next = timeout(PATIENCE, watched.next()).await.expect("the watch says something");
    next?.ok().map(|response| response.status())
}

/// `GET path`: the status, and the page.
fn get(addr: SocketAddr, path: &str) -> io::Result<(u16, Value)> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    write!(socket, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let mut response = String::new();
    socket.read_to_string(&mut response)?;
    let status = response.split(' ').nth(1).and_then(|status| status.parse().ok());
    let page =
        response.split_once("\r\n\r\n").and_then(|(_, page)| serde_json::from_str(page).ok());
    status.zip(page).ok_or_else(|| io::Error::other(response))
}

fn assert_is_refused(addr: SocketAddr) {
    let begun = Instant::now();
    while TcpStream::connect(addr).is_ok() {
        assert!(begun.elapsed() < GRACE, "{addr} is still open");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A server in a process of its own.
struct Process {
    process: process::Child,
    log: BufReader<process::ChildStderr>,
    grpc: SocketAddr,
    http: SocketAddr,
}

impl Process {
    fn start(part: Part) -> Self {
        match part {
            Part::Export => {
                Self::start_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9".into())])
            }
            _ => Self::start_with(&[]),
        }
    }

    fn start_with(vars: &[(&str, OsString)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "program::tests::child", "--nocapture"]);
        command.env_clear().env(CHILD, "").envs(VARS);
        command.envs(vars.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut seen = String::new();
        let listening = loop {
            let from = seen.len();
            assert!(log.read_line(&mut seen).unwrap() > 0, "it never listened: {seen}");
            let line = Value::from_str(&seen[from..]).unwrap_or_default();
            if line["fields"]["message"] == "listening" {
                break line;
            }
        };
        let addr = |name: &str| listening["fields"][name].as_str().unwrap().parse().unwrap();
        let (grpc, http) = (addr("grpc"), addr("http"));
        Self { process, log, grpc, http }
    }

    fn kill(&mut self, part: Part) {
        writeln!(self.process.stdin.as_ref().unwrap(), "{part}").unwrap();
    }

    fn assert_one_line_names(&mut self, part: Part) {
        let mut text = String::new();
        self.log.read_to_string(&mut text).unwrap();
        let named: Vec<_> = text.lines().filter(|line| line.contains("has ended early")).collect();
        let [line] = *named else { panic!("{named:#?} of {text}") };
        if part == Part::Log {
            assert!(line.contains("part log has ended early"), "{line}");
            return;
        }
        let line = Value::from_str(line).unwrap();
        assert_eq!(
            (&line["level"], &line["fields"]["part"]),
            (&"ERROR".into(), &part.to_string().into())
        );
        assert!(line["fields"]["reason"].is_string() && line["fields"]["remedy"].is_string());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server of the tests above; as a test of its own it does nothing. Each line that it reads
/// kills a part.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let settings = Settings::from_env().unwrap();
    let Configured { traces, .. } = Traces::from_env(false);
    let log = logging::init(settings.log_level, settings.log_format, traces.layer());
    let (log, last_lines) = log.unwrap();
    thread::spawn(|| {
        let parts = [
            Part::Worker(0),
            Part::Acceptor,
            Part::Http,
            Part::Upkeep,
            Part::Reload,
            Part::Log,
            Part::Export,
        ];
        for line in io::stdin().lines().map_while(Result::ok) {
            injected::kill(parts.into_iter().find(|part| part.to_string() == line).unwrap());
            // The log's thread ends at its next line.
            info!(part = line, "killed");
        }
    });
    let code = program::serve(settings, Telemetry { log: Some(log), traces }).unwrap();
    last_lines.write();
    process::exit(code.into());
}
