//! The drain of the real binary after SIGTERM.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use tokio_stream::StreamExt;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use crate::{
    load::Load,
    peers::{self, Held, Listener, Stalled},
    support::{http::Http, process::Process, run},
};

/// What the contract allows beyond the grace.
const MARGIN: Duration = Duration::from_millis(500);

/// Long enough that only a server that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn every_request_accepted_before_the_signal_is_answered_and_the_process_ends_in_time() {
    const GRACE: Duration = Duration::from_secs(5);
    run(async {
        let mut server =
            Process::start(&[("CACHE_SHUTDOWN_GRACE_SECONDS", "5"), ("CACHE_WORKERS", "2")]);
        let addr = server.grpc_addr();
        peers::store_large_value(addr).await;
        let _idle = peers::idle(addr, 50).await;
        let _silent = peers::silent(addr, 20).await;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(Held::requests(addr, 8).await);
        }
        let _stalled = Stalled::connection(addr).await;
        let watched = watch(&server).await;
        let load = Load::start(addr, 16).await;
        load.reach(5_000).await;

        load.mark_signal();
        let signalled = Instant::now();
        server.signal(Signal::TERM);

        assert_turns(watched, &server).await;
        assert_refuses_connections(&server).await;
        for held in held {
            held.take().await;
        }
        let tally = load.end().await;
        assert!(tally.lost.is_empty(), "{tally:#?}");

        let ended = server.end_by(signalled + GRACE + MARGIN).await;
        let took = signalled.elapsed();
        println!("{tally:?}; the process ended {took:?} after the signal");
        let ended = ended.unwrap_or_else(|| panic!("the process outlived its grace: {took:?}"));
        assert_eq!(ended.code(), Some(0));
    });
}

#[test]
fn peers_with_no_request_in_flight_do_not_hold_the_process() {
    for signal in [Signal::TERM, Signal::INT] {
        run(async {
            let mut server = Process::start(&[("CACHE_SHUTDOWN_GRACE_SECONDS", "60")]);
            let _idle = peers::idle(server.grpc_addr(), 50).await;
            let _silent = peers::silent(server.grpc_addr(), 20).await;
            let mut http = Http::connect(server.http_addr()).await.unwrap();
            http.get("/ready").await.unwrap();

            let signalled = Instant::now();
            server.signal(signal);
            let ended = server.end_by(signalled + PATIENCE).await;
            let took = signalled.elapsed();
            println!("{signal:?}: the process ended {took:?} after the signal");
            assert_eq!(ended.expect("the process ends").code(), Some(0));
        });
    }
}

#[test]
fn an_idle_connection_is_told_to_go_away() {
    run(async {
        let server = Process::start(&[]);
        let mut idle = Listener::connect(server.grpc_addr()).await;
        // SETTINGS: the server is there.
        assert_eq!(idle.frame().await.unwrap().0, 4);
        server.signal(Signal::TERM);
        let mut farewells = Vec::new();
        while let Some((kind, payload)) = timeout(PATIENCE, idle.frame()).await.unwrap() {
            if kind == 7 {
                farewells.push(payload);
            }
        }
        // Which streams are still answered, and the error NO_ERROR.
        let last = farewells.last().expect("a GOAWAY before the end");
        assert_eq!(last[4..8], [0; 4], "{farewells:?}");
    });
}

/// A connection was closed with what the peer had just sent unread, so the system reset it: a
/// peer that was writing saw its write fail, and gave up on the replies it had not read yet.
#[test]
fn a_peer_that_is_writing_when_the_server_goes_is_not_reset() {
    run(async {
        let server = Process::start(&[]);
        let mut idle = Listener::connect(server.grpc_addr()).await;
        assert_eq!(idle.frame().await.unwrap().0, 4);
        server.signal(Signal::TERM);
        while timeout(PATIENCE, idle.frame()).await.unwrap().is_some() {}
        // Time for a server that does not wait to be gone; this one waits a second. What
        // comes of a write on a closed socket is told to the next one.
        tokio::time::sleep(Duration::from_millis(50)).await;
        for _ in 0..2 {
            idle.ping().await.expect("the server reads to the end");
        }
    });
}

#[test]
fn a_watch_that_goes_on_does_not_hold_the_process() {
    run(async {
        let mut server = Process::start(&[("CACHE_SHUTDOWN_GRACE_SECONDS", "60")]);
        let mut watched = watch(&server).await;
        let signalled = Instant::now();
        server.signal(Signal::TERM);
        let next = watched.message().await.unwrap().unwrap();
        assert_eq!(next.status(), ServingStatus::NotServing);
        let ended = server.end_by(signalled + PATIENCE).await;
        assert_eq!(ended.expect("the process ends").code(), Some(0));
    });
}

/// A reflection stream held the process until the end of its grace, and was cut off.
#[test]
fn a_reflection_stream_ends_with_unavailable_at_the_drain() {
    run(async {
        let mut server = Process::start(&[("CACHE_SHUTDOWN_GRACE_SECONDS", "60")]);
        let mut reflection = ServerReflectionClient::new(server.channel().await);
        let question = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        // The caller could always ask once more.
        let questions = tokio_stream::iter([question]).chain(tokio_stream::pending());
        let answers = reflection.server_reflection_info(questions).await.unwrap();
        let mut answers = answers.into_inner();
        answers.message().await.unwrap().expect("an answer");

        let signalled = Instant::now();
        server.signal(Signal::TERM);
        let error = answers.message().await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::Unavailable, "{error}");
        let ended = server.end_by(signalled + PATIENCE).await;
        assert_eq!(ended.expect("the process ends").code(), Some(0));
    });
}

/// SIGHUP, which a lost terminal sends, ended the process at once: no drain, no line.
#[test]
fn a_signal_that_asks_for_no_end_is_logged_and_ignored() {
    run(async {
        let mut server = Process::start(&[]);
        for (signal, name) in [
            (Signal::HUP, "SIGHUP"),
            (Signal::USR1, "SIGUSR1"),
            (Signal::USR2, "SIGUSR2"),
            (Signal::ALARM, "SIGALRM"),
            (Signal::IO, "SIGIO"),
            (Signal::VTALARM, "SIGVTALRM"),
            (Signal::PROF, "SIGPROF"),
            (Signal::XCPU, "SIGXCPU"),
            (Signal::XFSZ, "SIGXFSZ"),
            (Signal::POWER, "SIGPWR"),
        ] {
            server.signal(signal);
            let lines = server.logged_until("signal ignored; SIGTERM drains and ends the server");
            assert_eq!(lines.last().unwrap()["fields"]["signal"], name);
        }
        server.signal(Signal::PIPE);
        let mut cache = server.connect().await;
        cache.get(crate::support::messages::key("k")).await.expect("it still serves");
        server.signal(Signal::TERM);
        let ended = server.end_by(Instant::now() + PATIENCE).await;
        assert_eq!(ended.expect("the process ends").code(), Some(0));
    });
}

/// The server used to say that it listens before it minded signals: one that came
/// in between killed it, and a watch that was open ended in a reset connection.
#[test]
fn a_signal_that_comes_as_soon_as_the_server_listens_drains_it() {
    run(async {
        for _ in 0..20 {
            let mut server = Process::start(&[]);
            server.signal(Signal::TERM);
            let ended = server.end_by(Instant::now() + PATIENCE).await;
            let ended = ended.expect("the process ends");
            assert_eq!(ended.code(), Some(0), "{ended}");
        }
    });
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    run(async {
        let mut server = Process::start(&[("CACHE_SHUTDOWN_GRACE_SECONDS", "60")]);
        peers::store_large_value(server.grpc_addr()).await;
        let _held = Held::requests(server.grpc_addr(), 1).await;
        let watched = watch(&server).await;
        server.signal(Signal::TERM);
        assert_turns(watched, &server).await;
        assert_eq!(server.ended(), None, "a request is in flight");

        let signalled = Instant::now();
        server.signal(Signal::TERM);
        let ended = server.end_by(signalled + PATIENCE).await;
        println!("the process ended {:?} after it", signalled.elapsed());
        ended.expect("the process ends");
    });
}

type Watched = tonic::Streaming<HealthCheckResponse>;

/// Watches the whole server, which is serving.
async fn watch(server: &Process) -> Watched {
    let mut health = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest::default();
    let mut watched = health.watch(request).await.unwrap().into_inner();
    let first = watched.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    watched
}

/// Readiness turns on both sides, while something is in flight.
async fn assert_turns(mut watched: Watched, server: &Process) {
    let turned = timeout(PATIENCE, watched.message()).await;
    let turned = turned.expect("gRPC health turns").unwrap().unwrap();
    assert_eq!(turned.status(), ServingStatus::NotServing);

    let mut http = Http::connect(server.http_addr()).await.unwrap();
    for path in ["/ready", "/health"] {
        let response = http.get(path).await.unwrap();
        assert_eq!(response.status, 503, "{path}");
        assert!(response.header("x-request-id").is_some());
        let body = response.json();
        assert_eq!(body["status"], "error");
        assert_eq!(body["message"], "Service unavailable");
    }
    assert_eq!(http.get("/live").await.unwrap().status, 200);
}

/// A new connection is refused, or closed before anything is said on it. One
/// that was in the queue when the signal came may be among the accepted.
async fn assert_refuses_connections(server: &Process) {
    let give_up = Instant::now() + Duration::from_secs(1);
    loop {
        let Ok(mut late) = TcpStream::connect(server.grpc_addr()).await else {
            return;
        };
        let mut said = Vec::new();
        let closed = timeout(Duration::from_millis(100), late.read_to_end(&mut said)).await;
        if closed.is_ok() && said.is_empty() {
            return;
        }
        assert!(Instant::now() < give_up, "a new connection is taken");
    }
}
