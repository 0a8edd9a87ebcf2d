//! Makes a connection: looks the server up, tries its addresses, and takes the first on which
//! the server has sent its HTTP/2 settings.

use std::{
    fmt,
    future::{Future, poll_fn},
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
    ConnectError, Endpoint,
    endpoint::Cause,
    gather::Gathered,
    hangup::ReadToEnd,
    race::{Steer, race},
};

/// HTTP/2 windows: a value of some MiB comes in without a stall for a window update, and the
/// connection's window holds several of them.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;

/// Calls that were given up and are remembered, and for how long, so that their late replies
/// are dropped without a word.
const GIVEN_UP: usize = 1024;
const GIVEN_UP_FOR: Duration = Duration::from_secs(10);

/// Largest list of headers that a reply may have.
const MAX_HEADERS: u32 = 64 << 10;

pub(super) type Driven = client::Connection<Gathered, Bytes>;

/// A connection whose server has sent its settings.
pub(super) struct Greeted {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) driven: Driven,
    pub(super) io: Gathered,
    /// Set once no further call can be made.
    pub(super) retired: Arc<AtomicBool>,
    /// None where the caller connects in a way of its own.
    pub(super) peer: Option<SocketAddr>,
    /// What the server's name gave when it was looked up for this connection.
    pub(super) addresses: Vec<SocketAddr>,
}

/// Connects within the endpoint's time for that.
pub(super) async fn connect(endpoint: &Endpoint, steer: Steer) -> Result<Greeted, ConnectError> {
    let limit = Limit::begin(endpoint.time_to_connect());
    let found = limit.apply(endpoint.look_up()).await.map_err(|cause| endpoint.failed(cause))?;
    let Some(addresses) = found else {
        let greeted = limit.apply(greet(endpoint, None)).await;
        return greeted.map_err(|cause| endpoint.failed(cause));
    };
    let attempts = steer.order(&addresses).into_iter().map(|to| async move {
        // Every try ends with the limit, so that each address has its own error by then.
        limit.apply(greet(endpoint, Some(to))).await.map_err(|cause| (to, cause))
    });
    match race(attempts).await {
        Ok(greeted) => Ok(Greeted { addresses, ..greeted }),
        Err(causes) => Err(endpoint.failed(Cause::of_all(causes))),
    }
}

/// The time that all steps to a connection share.
#[derive(Clone, Copy)]
struct Limit {
    time: Duration,
    /// None where the clock does not go that far.
    end: Option<Instant>,
}

impl Limit {
    fn begin(time: Duration) -> Self {
        Self { time, end: Instant::now().checked_add(time) }
    }

    async fn apply<T>(self, step: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
        let Some(end) = self.end else { return step.await };
        let late = |_elapsed| Err(Cause::new(format!("no answer within {:?}", self.time)));
        timeout_at(end, step).await.unwrap_or_else(late)
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
        // Those are counted over the connection's life, and a late reply to a call that was
        // given up is no attack: the server is one that we chose.
        .max_local_error_reset_streams(None)
        .enable_push(false)
        // None until the server's settings say how many.
        .initial_max_send_streams(0)
        .handshake(io.clone())
        .await
        .map_err(|error| not_http2(endpoint, &error))?;
    poll_fn(|cx| {
        let ended = Pin::new(&mut driven).poll(cx);
        if let Poll::Ready(Err(error)) = io.poll_drain(cx) {
            return Poll::Ready(Err(broken(endpoint, error)));
        }
        match ended {
            Poll::Ready(Ok(())) => Poll::Ready(Err("it closed the connection".into())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(not_http2(endpoint, &error))),
            Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await?;
    Ok(Greeted { sender, driven, io, retired, peer: to, addresses: Vec::new() })
}

/// The error of a connection that broke before the server had greeted.
fn broken(endpoint: &Endpoint, cause: impl fmt::Display) -> Cause {
    match endpoint.scheme() {
        "https" => Cause::new(cause.to_string()),
        _ => Cause::new(format!("{cause}; if the server speaks TLS, write grpcs://")),
    }
}

fn not_http2(endpoint: &Endpoint, error: &h2::Error) -> Cause {
    match error.get_io() {
        Some(error) => broken(endpoint, error),
        None => broken(endpoint, format_args!("no HTTP/2 from the server: {error}")),
    }
}
