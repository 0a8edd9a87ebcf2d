//! The HTTP port: health, figures, metrics and the log's level, on a thread of its own.

mod places; // the open connections, of which an idle one gives way
mod pages; // JSON
mod metrics; // Prometheus
mod log_level; // reads and changes the log's level
mod response; // a page as a response

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_io_timeout::TimeoutStream;
use tracing::debug;

use crate::{
    call::{RequestIds, X_REQUEST_ID},
    listener,
    monitor::Monitor,
    threads::Ready,
};

use self::{metrics::Metrics, pages::LOG_LEVEL, places::Places, response::json};

pub(crate) use self::log_level::LogLevel;

/// Open HTTP connections. Probes and scrapes are few.
const MAX_CONNECTIONS: usize = 1024;

/// Time for a request's head. A connection that takes longer is closed, so that idle ones do not
/// keep the places from a probe.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// A peer that reads nothing of a reply for this long is cut off, for the same reason.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What answers HTTP requests.
pub(crate) struct Http {
    monitor: Arc<Monitor>,
    metrics: Metrics,
    log_level: LogLevel,
    request_ids: RequestIds,
}

impl Http {
    pub(crate) fn new(monitor: Arc<Monitor>, log_level: LogLevel) -> Self {
        let metrics = Metrics::of(monitor.clone());
        Self { monitor, metrics, log_level, request_ids: RequestIds::new() }
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub(crate) async fn serve(self, listener: TcpListener, ready: Ready) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        ready.report();
        let http = Arc::new(self);
        let places = Places::new(MAX_CONNECTIONS);
        loop {
            let socket = listener::next(&listener, "HTTP").await?;
            let place = places.take().await;
            // A connection that was reset while it waited has no peer.
            let Ok(peer) = socket.peer_addr() else { continue };
            let http = http.clone();
            tokio::spawn(async move {
                let service = service_fn(async |request: Request<Incoming>| {
                    Ok::<_, Infallible>(http.answer(request, peer).await)
                });
                let mut socket = TimeoutStream::new(socket);
                socket.set_write_timeout(Some(WRITE_TIMEOUT));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    .serve_connection(TokioIo::new(Box::pin(socket)), service);
                let mut connection = pin!(connection);
                let ended = tokio::select! {
                    ended = &mut connection => ended,
                    () = place.is_wanted() => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(problem) = ended {
                    debug!(%problem, "HTTP connection ended early");
                }
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let request_id = self.request_ids.take(request.headers());
        let mut response = match request.uri().path() {
            LOG_LEVEL => self.log_level.answer(request, peer).await,
            _ => self.page(&request),
        };
        response.headers_mut().insert(X_REQUEST_ID, request_id);
        response
    }

    fn page<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let monitor = &*self.monitor;
        let readable = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            _ if !readable => json(StatusCode::NOT_FOUND, &pages::problem("Not found")),
            "/health" | "/ready" => match pages::health(monitor) {
                Ok(healthy) => json(StatusCode::OK, &healthy),
                Err(unavailable) => json(StatusCode::SERVICE_UNAVAILABLE, &unavailable),
            },
            "/live" => json(StatusCode::OK, &pages::live(monitor)),
            "/stats" => json(StatusCode::OK, &pages::stats(monitor)),
            "/metrics" => self.metrics.respond(request.headers()),
            "/" => json(StatusCode::OK, &pages::index(monitor, self.log_level.is_served())),
            _ => json(StatusCode::NOT_FOUND, &pages::problem("Not found")),
        }
    }
}
