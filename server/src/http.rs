//! The HTTP port: health, figures, metrics and the log's level, on a thread of its own.

mod secure; // TLS, or plain HTTP where TLS was due
mod places; // the open connections, of which an idle one gives way
mod pages; // JSON
mod metrics; // Prometheus
mod log_level; // reads and changes the log's level
mod guard; // asks for a token
mod response; // a page as a response

use std::{
    convert::Infallible,
    error::Error,
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
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tracing::debug;

use crate::{
    call::{RequestIds, X_REQUEST_ID},
    listener,
    monitor::Monitor,
    threads::Ready,
    transport::tls::Port,
};

use self::{
    metrics::Metrics,
    pages::LOG_LEVEL,
    places::{Place, Places},
    response::json,
    secure::{Greeted, with_timeout},
};

pub(crate) use self::{guard::Guard, log_level::LogLevel};

/// Time for a TLS handshake, and for a request's head. A connection that takes longer is closed, so that idle ones do not
/// keep the places from a probe.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// What answers HTTP requests.
pub(crate) struct Http {
    monitor: Arc<Monitor>,
    metrics: Metrics,
    log_level: LogLevel,
    guard: Guard,
    request_ids: RequestIds,
    max_connections: usize,
}

impl Http {
    /// With so many connections at most.
    pub(crate) fn new(
        monitor: Arc<Monitor>,
        log_level: LogLevel,
        guard: Guard,
        max_connections: usize,
    ) -> Self {
        let metrics = Metrics::of(monitor.clone());
        let request_ids = RequestIds::new();
        Self { monitor, metrics, log_level, guard, request_ids, max_connections }
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        tls: Option<Port>,
        ready: Ready,
    ) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        ready.report();
        let http = Arc::new(self);
        let places = Places::new(http.max_connections);
        loop {
            let socket = listener::next(&listener, "HTTP").await?;
            let place = places.take().await;
            // A connection that was reset while it waited has no peer.
            let Ok(peer) = socket.peer_addr() else { continue };
            let (http, tls) = (http.clone(), tls.clone());
            tokio::spawn(async move {
                if let Err(problem) = http.connection(socket, peer, tls, &place).await {
                    debug!(%problem, "HTTP connection ended early");
                }
            });
        }
    }

    async fn connection(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        tls: Option<Port>,
        place: &Place,
    ) -> Result<(), Box<dyn Error>> {
        let Some(tls) = tls else { return self.http1(with_timeout(socket), peer, place).await };
        let greeted = tokio::select! {
            // Nothing was asked, so nothing is owed.
            () = place.is_wanted() => return Ok(()),
            greeted = timeout(HEAD_TIMEOUT, secure::greet(socket, &tls)) => greeted??,
        };
        match greeted {
            Greeted::Tls(stream) => self.http1(stream, peer, place).await,
            Greeted::Plain(stream) => self.turn_away(stream).await,
        }
    }

    /// Answers requests until the peer closes the connection, or its place is wanted.
    async fn http1<IO>(&self, io: IO, peer: SocketAddr, place: &Place) -> Result<(), Box<dyn Error>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let service = service_fn(async |request: Request<Incoming>| {
            Ok::<_, Infallible>(self.answer(request, peer).await)
        });
        let connection = builder().serve_connection(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        tokio::select! {
            ended = &mut connection => ended?,
            () = place.is_wanted() => {
                connection.as_mut().graceful_shutdown();
                connection.await?;
            }
        }
        Ok(())
    }

    /// Answers one request of a peer that should have spoken TLS.
    async fn turn_away<IO>(&self, io: IO) -> Result<(), Box<dyn Error>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let service = service_fn(async |request: Request<Incoming>| {
            let mut response = json(StatusCode::BAD_REQUEST, &pages::problem(secure::HTTPS_ONLY));
            let request_id = self.request_ids.take(request.headers());
            response.headers_mut().insert(X_REQUEST_ID, request_id);
            Ok::<_, Infallible>(response)
        });
        builder().keep_alive(false).serve_connection(TokioIo::new(io), service).await?;
        Ok(())
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let request_id = self.request_ids.take(request.headers());
        let mut response = match self.guard.admit(&request, peer, &request_id) {
            Err(refused) => *refused,
            Ok(()) if request.uri().path() == LOG_LEVEL => {
                self.log_level.answer(request, peer).await
            }
            Ok(()) => self.page(&request),
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
            "/namespaces" => json(StatusCode::OK, &pages::namespaces(monitor)),
            "/metrics" => self.metrics.respond(request.headers()),
            "/" => json(StatusCode::OK, &pages::index(monitor, self.log_level.is_served())),
            _ => json(StatusCode::NOT_FOUND, &pages::problem("Not found")),
        }
    }
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
}
