//! A server's figures, from its process and from its metrics.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tiny_cache_client::transport::Token;
use tiny_cache_loadtest::{
    peers::{HostPort, Target},
    usage::{CallTimes, ServerMetrics, Usage, UsageError, UsageSource},
};
use tokio::net::TcpListener;

const PAGE: &str = "# TYPE process_cpu_seconds_total counter\n\
                    process_cpu_seconds_total 1.25\n\
                    # TYPE process_resident_memory_bytes gauge\n\
                    process_resident_memory_bytes 4.194304e+06\n";

const TOKEN: &str = "Bearer its-own-token";

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.method(), "GET");
    assert!(request.headers()["host"].to_str().unwrap().starts_with("127.0.0.1:"));
    let (status, page) = match request.uri().path() {
        "/guarded" if request.headers().get("authorization") != Some(&TOKEN.parse().unwrap()) => {
            (StatusCode::UNAUTHORIZED, String::new())
        }
        "/metrics" | "/guarded" => (StatusCode::OK, PAGE.to_owned()),
        "/no-cpu" => (StatusCode::OK, PAGE.replace("cpu", "gpu")),
        "/twice" => (StatusCode::OK, PAGE.repeat(2)),
        "/words" => (StatusCode::OK, PAGE.replace("1.25", "much")),
        "/long" => (StatusCode::OK, PAGE.repeat((17 << 20) / PAGE.len())),
        _ => (StatusCode::NOT_FOUND, PAGE.to_owned()),
    };
    let mut response = Response::new(Full::from(page));
    *response.status_mut() = status;
    Ok(response)
}

/// Serves pages of metrics for as long as the runtime runs.
async fn pages() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            // A client that refuses a page hangs up in the middle of it.
            let serve = http1::Builder::new();
            tokio::spawn(serve.serve_connection(TokioIo::new(socket), service_fn(answer)));
        }
    });
    address
}

fn place(target: &str) -> HostPort {
    target.parse::<Target>().unwrap().host_port().unwrap()
}

async fn read(metrics: &str) -> Result<Usage, UsageError> {
    // Metrics come first: nobody asks for a process behind this address.
    let server = place("192.0.2.1:1");
    let metrics: ServerMetrics = metrics.parse().unwrap();
    UsageSource::find(&server, Some(&metrics)).await.unwrap().sample().await
}

#[tokio::test]
async fn metrics_give_the_figures() {
    let address = pages().await;
    let expected = Usage {
        cpu: Duration::from_millis(1250),
        resident_bytes: 4 << 20,
        peak_resident_bytes: None,
        pids: vec![],
        calls: CallTimes::default(),
    };
    assert_eq!(read(&format!("http://{address}/metrics")).await.unwrap(), expected);
}

#[tokio::test]
async fn a_page_that_wants_a_token_is_asked_with_one() {
    let address = pages().await;
    let page: ServerMetrics = format!("http://{address}/guarded").parse().unwrap();
    let refused = page.sample().await.unwrap_err().to_string();
    assert!(refused.ends_with(": replied 401 Unauthorized"), "{refused}");
    let token = Token::new("its-own-token").unwrap();
    page.with_token(Some(token)).sample().await.unwrap();
}

#[tokio::test]
async fn a_page_without_the_figures_is_refused_in_one_line() {
    let address = pages().await;
    for (path, problem) in [
        ("no-cpu", "process_cpu_seconds_total is not on the page"),
        ("twice", "process_cpu_seconds_total is on the page 2 times, expected once"),
        (
            "words",
            "process_cpu_seconds_total is no number from 0 on: `process_cpu_seconds_total much`",
        ),
        ("absent", "replied 404 Not Found"),
        ("long", "the page broke off or is longer than 16.0 MiB: length limit exceeded"),
    ] {
        let url = format!("http://{address}/{path}");
        let told = read(&url).await.unwrap_err().to_string();
        assert_eq!(told, format!("--server-metrics {url}: {problem}"));
    }
}

#[tokio::test]
async fn a_port_without_metrics_is_refused() {
    // Bound and not listening: no connection is taken, and nobody else gets the port.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/metrics", socket.local_addr().unwrap());
    let told = read(&url).await.unwrap_err().to_string();
    assert!(told.starts_with(&format!("--server-metrics {url}: cannot connect: ")), "{told}");
}

#[cfg(target_os = "linux")]
mod process {
    use std::{
        io::IoSlice,
        mem::MaybeUninit,
        net::{SocketAddr, TcpListener},
        os::{
            fd::{AsFd, OwnedFd},
            unix::net::UnixStream,
        },
        process::{self, Command, Stdio},
        sync::{Mutex, MutexGuard, PoisonError},
        time::{Duration, Instant},
    };

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use tiny_cache_loadtest::usage::{ServerProcess, UsageError, UsageSource};
    use tokio::net::TcpSocket;

    /// A child has all of this process' sockets between its fork and its program: while one
    /// test starts a child, no other may look for processes.
    fn alone() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn a_listener_is_found_by_its_port() {
        let _turn = alone();
        for bound in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(bound).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = ServerProcess::find(([127, 0, 0, 1], port).into()).unwrap();
            let usage = server.sample().unwrap();
            assert_eq!(usage.pids, [process::id()], "{bound}");
            assert!(server.to_string().starts_with(&format!("process {} (", process::id())));
            assert!(usage.resident_bytes > 0);
            assert!(usage.peak_resident_bytes.unwrap() >= usage.resident_bytes);
        }
    }

    #[test]
    fn a_server_is_found_as_its_address_is_written() {
        let _turn = alone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for host in ["127.0.0.1", "[::1]"] {
            // A machine may have IPv6 switched off.
            let Ok(listener) = TcpListener::bind(format!("{host}:0")) else { continue };
            let server = format!("{host}:{}", listener.local_addr().unwrap().port());
            let usage = runtime.block_on(async {
                let source = UsageSource::find(&crate::place(&server), None).await.unwrap();
                source.sample().await.unwrap()
            });
            assert_eq!(usage.pids, [process::id()], "{server}");
        }
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let _turn = alone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = ServerProcess::find(listener.local_addr().unwrap()).unwrap();
        let before = server.sample().unwrap().cpu;
        let patience = Instant::now() + Duration::from_secs(60);
        while server.sample().unwrap().cpu <= before {
            assert!(Instant::now() < patience, "still {before:?}");
        }
    }

    #[test]
    fn a_process_that_ended_is_told_and_not_another_of_its_number() {
        let _turn = alone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Listens by having the socket: the command just waits.
        let mut child = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .spawn()
            .unwrap();
        let server = ServerProcess::find(address);
        let pids = server.as_ref().map(|server| server.sample().unwrap().pids);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(pids.unwrap(), [child.id()]);
        let told = server.unwrap().sample().unwrap_err().to_string();
        assert_eq!(told, format!("process {} (sleep) has ended", child.id()));
    }

    #[test]
    fn processes_that_share_a_socket_are_summed() {
        let _turn = alone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = OwnedFd::from(listener.try_clone().unwrap());
        let mut child = Command::new("sleep").arg("600").stdin(shared).spawn().unwrap();
        let server = ServerProcess::find(address);
        let usage = server.as_ref().map(|server| server.sample().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        let mut pids = usage.unwrap().pids;
        pids.sort_unstable();
        let mut expected = [process::id(), child.id()];
        expected.sort_unstable();
        assert_eq!(pids, expected);
        let told = server.unwrap().to_string();
        assert!(told.starts_with("processes ") && told.contains("(sleep)"), "{told}");
    }

    /// As a socket of another user's process looks: it listens, and no process that may be
    /// looked into has it. Here none has it, for it is on its way through another socket.
    #[test]
    fn a_listener_out_of_sight_is_told_with_what_helps() {
        let _turn = alone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, _receiver) = UnixStream::pair().unwrap();
        let descriptors = [listener.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        assert!(message.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(&sender, &[IoSlice::new(b"x")], &mut message, SendFlags::empty()).unwrap();
        drop(listener);

        let error = ServerProcess::find(address).unwrap_err();
        assert!(matches!(error, UsageError::OutOfSight { .. }), "{error:?}");
        let told = error.to_string();
        assert!(told.contains(&address.to_string()) && told.contains("--server-metrics"), "{told}");
    }

    #[test]
    fn a_port_on_which_nobody_listens_is_told() {
        let _turn = alone();
        // Bound, so that nobody else gets it meanwhile.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let error = ServerProcess::find(address).unwrap_err();
        assert!(matches!(error, UsageError::NobodyListens(told) if told == address), "{error:?}");
    }

    #[test]
    fn another_machines_address_is_told() {
        // Of the class that RFC 1112 reserves. Those for documentation are in use on some
        // virtual networks.
        let address: SocketAddr = "240.0.0.1:50051".parse().unwrap();
        let told = ServerProcess::find(address).unwrap_err().to_string();
        assert_eq!(told, "240.0.0.1:50051 is not of this machine: give --server-metrics");
    }
}
