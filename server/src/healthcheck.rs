//! Asks a running server whether it is ready, as a container's health check does.

mod anyone; // TLS with whoever answers

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use crate::settings::HealthAddress;

/// A server that needs longer is not well.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/ready` on the address that the settings name.
///
/// # Errors
/// When nobody answers, not in time, or not with 200.
///
/// Over TLS it does not look at the certificate, as a kubelet does not: that is made for the names
/// by which others reach the server, and it asks on the loopback.
pub fn run(HealthAddress { host, port, tls }: &HealthAddress) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(async { timeout(TIMEOUT, ask(host, *port, *tls)).await })
        .unwrap_or_else(|_elapsed| bail!("no answer within {TIMEOUT:?}"))
        .with_context(|| {
            let scheme = if *tls { "https" } else { "http" };
            format!("{scheme}://{host}:{port}/ready")
        })
}

async fn ask(host: &str, port: u16, tls: bool) -> anyhow::Result<()> {
    let socket = connect(host, port).await.context("cannot connect")?;
    if !tls {
        return ask_over(socket, host, port).await;
    }
    let ip = socket.peer_addr()?.ip();
    let secured = anyone::connector().connect(ip.into(), socket).await;
    ask_over(secured.context("cannot connect over TLS")?, host, port).await
}

async fn ask_over<IO>(io: IO, host: &str, port: u16) -> anyhow::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (mut requests, connection) = http1::handshake(TokioIo::new(io)).await?;
    let request = Request::get("/ready")
        .header(http::header::HOST, format!("{host}:{port}"))
        .body(Empty::<Bytes>::new())?;
    let answer = async move { requests.send_request(request).await };
    let (response, _closed) = tokio::join!(answer, connection);
    let status = response?.status();
    if !status.is_success() {
        bail!("answered {status}");
    }
    Ok(())
}

async fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut problem = None;
    for host in reachable(host) {
        match TcpStream::connect(format!("{host}:{port}")).await {
            Ok(socket) => return Ok(socket),
            // The first place is where the server was told to be.
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    Err(problem.unwrap_or_else(|| std::io::ErrorKind::NotFound.into()))
}

/// Where a server on this host that listens on `host` may be reached. One that listens on all
/// addresses of IPv6 also takes IPv4, and listens on that alone where the host has no IPv6.
fn reachable(host: &str) -> Vec<&str> {
    match host {
        "0.0.0.0" | "*" => vec!["127.0.0.1"],
        "::" | "[::]" => vec!["[::1]", "127.0.0.1"],
        host => vec![host],
    }
}
