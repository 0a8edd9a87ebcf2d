//! `--prometheus`: an HTTP port where the figures can be scraped while the run lasts.

mod figures; // each metric, once

use std::{
    convert::Infallible,
    future::ready,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::JoinSet;

use self::figures::Figures;
use super::phase::Phase;
use crate::{
    engine::{Live, Second},
    output_file::OutputError,
};

/// A connection that has sent no whole request head for this long is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after a socket could not be taken: the process may have as many open as it may.
const PAUSE: Duration = Duration::from_millis(100);

/// The format that is always sent: a scraper goes by its name in the reply.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The port; it is closed with the value.
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    figures: Figures,
    _serving: JoinSet<()>,
}

impl Endpoint {
    /// Opens the port and serves from now on.
    pub(super) fn open(address: &str) -> Result<Self, OutputError> {
        let figures = Figures::default();
        let open = || -> io::Result<_> {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, tokio::net::TcpListener::from_std(listener)?))
        };
        let (bound, listener) = open().map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::InvalidInput => "expected HOST:PORT, such as 127.0.0.1:9100".into(),
                _ => error.to_string(),
            };
            OutputError::new("--prometheus", address, why)
        })?;
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, figures.clone()));
        Ok(Self { address: bound, figures, _serving: serving })
    }

    /// Notes what is driven from here on.
    pub(super) fn begin(&self, phase: &Phase, live: &Arc<Live>) {
        self.figures.begin(phase.rate(), live);
    }

    /// Adds the latencies of a second.
    pub(super) fn second(&self, second: &Second) {
        self.figures.second(second);
    }
}

/// Takes connections until it is dropped, and they with it.
async fn serve(listener: tokio::net::TcpListener, figures: Figures) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _peer)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let figures = figures.clone();
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                ready(Ok::<_, Infallible>(answer(&request, &figures)))
            });
            // A scraper that went away comes back or does not.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

fn answer<B>(request: &Request<B>, figures: &Figures) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_read && request.uri().path() == "/metrics" {
        return page(StatusCode::OK, OPENMETRICS, figures.text());
    }
    let elsewhere = "the figures are at /metrics\n".to_owned();
    page(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", elsewhere)
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
