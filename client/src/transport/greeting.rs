//! Makes a connection: resolves the server's name, tries its addresses, and takes the first on
//! which the server sends its HTTP/2 settings.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use tokio::time::{Instant, timeout_at};

use super::{
    endpoint::{Cause, ConnectError, Endpoint},
    gather::Gathered,
    hangup::ReadToEnd,
    race::{Steer, race},
};
use crate::clock::after;

/// HTTP/2 windows: a value of 4 MiB arrives without a stall for a window update, and the
/// connection has room for eight of them.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;

/// Cancelled calls that are remembered, and for how long, so that late replies to them are
/// dropped and not taken for protocol errors.
const GIVEN_UP: usize = 1024;
const GIVEN_UP_FOR: Duration = Duration::from_secs(10);

/// Largest list of headers of a reply.
const MAX_HEADERS: u32 = 64 << 10;

pub(super) type Driven = client::Connection<Gathered, Bytes>;

/// A connection whose server has sent its settings.
pub(super) struct Greeted {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) driven: Driven,
    pub(super) io: Gathered,
    /// Set once no further call can be made.
    pub(super) retired: Arc<AtomicBool>,
    /// None if the caller made the stream.
    pub(super) peer: Option<SocketAddr>,
    /// The addresses that the server's name resolved to.
    pub(super) addresses: Vec<SocketAddr>,
}

/// Connects within the endpoint's connect timeout.
pub(super) async fn connect(endpoint: &Endpoint, steer: Steer) -> Result<Greeted, ConnectError> {
    let limit = Limit::begin(endpoint.connect_timeout);
    let found = limit.apply(endpoint.look_up()).await.map_err(|cause| endpoint.failed(cause))?;
    let Some(addresses) = found else {
        let greeted = limit.apply(greet(endpoint, None)).await;
        return greeted.map_err(|cause| endpoint.failed(cause));
    };
    let attempts = steer.order(&addresses).into_iter().map(|to| async move {
        // Each attempt applies the limit itself, so that each address reports its own error.
        limit.apply(greet(endpoint, Some(to))).await.map_err(|cause| (to, cause))
    });
    match race(attempts).await {
        Ok(greeted) => Ok(Greeted { addresses, ..greeted }),
        Err(causes) => Err(endpoint.failed(Cause::of_all(causes))),
    }
}

/// The time that all steps of connecting share.
#[derive(Clone, Copy)]
struct Limit {
    time: Duration,
    end: Instant,
}

impl Limit {
    fn begin(time: Duration) -> Self {
        Self { time, end: after(Instant::now(), time) }
    }

    async fn apply<T>(self, step: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
        let late = |_elapsed| Err(Cause::new(format!("no answer within {:?}", self.time)));
        timeout_at(self.end, step).await.unwrap_or_else(late)
    }
}

/// Opens a stream and waits for the server's settings.
async fn greet(endpoint: &Endpoint, to: Option<SocketAddr>) -> Result<Greeted, Cause> {
    let retired = Arc::default();
    let io = Gathered::new(ReadToEnd::new(endpoint.dial(to).await?, Arc::clone(&retired)));
    let (sender, mut driven) = client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADERS)
        .max_concurrent_reset_streams(GIVEN_UP)
        .reset_stream_duration(GIVEN_UP_FOR)
        // h2 counts these over the connection's whole life, and late replies to cancelled calls
        // are no attack: the client chose the server.
        .max_local_error_reset_streams(None)
        .enable_push(false)
        // Zero until the server's settings arrive, which is how their arrival is noticed.
        .initial_max_send_streams(0)
        .handshake(io.clone())
        .await
        .map_err(|error| not_http2(endpoint, error))?;
    poll_fn(|cx| {
        let ended = Pin::new(&mut driven).poll(cx);
        if let Poll::Ready(Err(error)) = io.poll_drain(cx) {
            return Poll::Ready(Err(broken(endpoint, error)));
        }
        match ended {
            Poll::Ready(Ok(())) => Poll::Ready(Err(
                "the server closed the connection without HTTP/2; it may have no place for another \
                 connection, or not be a gRPC port".into(),
            )),
            Poll::Ready(Err(error)) => Poll::Ready(Err(not_http2(endpoint, error))),
            Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await?;
    Ok(Greeted { sender, driven, io, retired, peer: to, addresses: Vec::new() })
}

/// The error of a connection that broke before the server sent its settings.
fn broken(endpoint: &Endpoint, error: io::Error) -> Cause {
    match endpoint.scheme() {
        "https" => Cause::of_io(error),
        _ => unlike_http2(endpoint, error),
    }
}

fn not_http2(endpoint: &Endpoint, error: h2::Error) -> Cause {
    let text = format!("no HTTP/2 from the server: {error}");
    match error.into_io() {
        Some(error) => broken(endpoint, error),
        None => unlike_http2(endpoint, text),
    }
}

fn unlike_http2(endpoint: &Endpoint, text: impl fmt::Display) -> Cause {
    match endpoint.scheme() {
        "https" => Cause::new(text.to_string()),
        _ => Cause::new(format!(
            "{text}; the server may have no place for another connection; if the server speaks TLS, \
             write grpcs://"
        )),
    }
}
