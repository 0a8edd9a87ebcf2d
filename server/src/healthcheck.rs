//! Asks a running server whether it is ready, as a container's health check does.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::settings::Settings;

/// A server that needs longer is not well.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/ready` on the address that the settings name.
///
/// # Errors
/// When nobody answers, not in time, or not with 200.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = format!("{}:{}", reachable(&settings.health_host), settings.health_port);
    runtime
        .block_on(async { timeout(TIMEOUT, ask(&address)).await })
        .unwrap_or_else(|_elapsed| bail!("no answer within {TIMEOUT:?}"))
        .with_context(|| format!("http://{address}/ready"))
}

async fn ask(address: &str) -> anyhow::Result<()> {
    let socket = TcpStream::connect(address).await.context("cannot connect")?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let request =
        Request::get("/ready").header(http::header::HOST, address).body(Empty::<Bytes>::new())?;
    let answer = async move { requests.send_request(request).await };
    let (response, _closed) = tokio::join!(answer, connection);
    let status = response?.status();
    if !status.is_success() {
        bail!("answered {status}");
    }
    Ok(())
}

/// Where a server on this host that listens on `host` can be reached.
fn reachable(host: &str) -> &str {
    match host {
        "0.0.0.0" | "*" => "127.0.0.1",
        "::" | "[::]" => "[::1]",
        host => host,
    }
}
