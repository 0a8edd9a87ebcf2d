//! The h2 crate, with an application that answers each request when it is complete. It is
//! polled by hand, so that it does all that it can do for a frame before the next comes.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use h2::{
    RecvStream,
    server::{Builder, Connection, Handshake, SendResponse},
};
use http::{HeaderMap, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    frames::streams_allowed,
    ours::{CONNECTION_WINDOW, STREAM_WINDOW},
    outcome::{Outcome, Request, reply_size, take_frames},
};

/// A socket that holds what is to be read and what was written.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<(Vec<u8>, Vec<u8>)>>);

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (unread, _) = &mut *self.0.borrow_mut();
        if unread.is_empty() {
            return Poll::Pending;
        }
        let size = unread.len().min(into.remaining());
        into.put_slice(&unread[..size]);
        unread.drain(..size);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().1.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

enum State {
    Handshake(Handshake<Wire, Bytes>),
    Open(Connection<Wire, Bytes>),
    Over,
}

/// A request, until it is answered.
struct Call {
    request: Request,
    body: RecvStream,
    respond: SendResponse<Bytes>,
    /// Whether all of the body has come, and trailers may follow.
    ended: bool,
}

/// A connection with its application.
pub(crate) struct Theirs {
    wire: Wire,
    state: State,
    calls: Vec<Call>,
}

impl Theirs {
    pub(crate) fn new(seed: u64) -> Self {
        let wire = Wire::default();
        let mut builder = Builder::new();
        builder
            .max_concurrent_streams(streams_allowed(seed))
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(65_535);
        let state = State::Handshake(builder.handshake(wire.clone()));
        Self { wire, state, calls: Vec::new() }
    }

    /// Bytes have come.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Outcome {
        self.wire.0.borrow_mut().0.extend_from_slice(bytes);
        let mut cx = Context::from_waker(Waker::noop());
        let mut requests = Vec::new();
        while self.advance(&mut cx) | self.answer(&mut cx, &mut requests) {}
        let sent = take_frames(&mut self.wire.0.borrow_mut().1);
        Outcome::of(requests, &sent, matches!(self.state, State::Over))
    }

    /// Lets the connection go on. Returns whether it has changed.
    fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        let state = match &mut self.state {
            State::Handshake(handshake) => match Pin::new(handshake).poll(cx) {
                Poll::Ready(Ok(connection)) => State::Open(connection),
                Poll::Ready(Err(_)) => State::Over,
                Poll::Pending => return false,
            },
            State::Open(connection) => match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.calls.push(call(request, respond));
                    return true;
                }
                Poll::Ready(Some(Err(_)) | None) => State::Over,
                Poll::Pending => return false,
            },
            State::Over => return false,
        };
        self.state = state;
        true
    }

    /// Answers what is complete. Returns whether anything was.
    fn answer(&mut self, cx: &mut Context<'_>, requests: &mut Vec<Request>) -> bool {
        let before = self.calls.len();
        for mut call in std::mem::take(&mut self.calls) {
            match call.poll(cx) {
                Poll::Pending => self.calls.push(call),
                // The stream was reset.
                Poll::Ready(false) => {}
                Poll::Ready(true) => {
                    if call.reply().is_ok() {
                        requests.push(call.request);
                    }
                }
            }
        }
        self.calls.len() < before
    }
}

fn call(request: http::Request<RecvStream>, respond: SendResponse<Bytes>) -> Call {
    let (head, body) = request.into_parts();
    let values = |name| {
        head.headers
            .get_all(name)
            .iter()
            .map(|value: &http::HeaderValue| value.as_bytes().to_vec())
            .collect()
    };
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let request = Request {
        stream: respond.stream_id().as_u32(),
        method: head.method.as_str().into(),
        path: path.into(),
        fields: [values("x-one"), values("x-two")],
        body: 0,
    };
    Call { request, body, respond, ended: false }
}

impl Call {
    /// Reads the body. Ready when it has ended, and says whether it did so well.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while !self.ended {
            match self.body.poll_data(cx) {
                Poll::Ready(Some(Ok(bytes))) => {
                    self.request.body += bytes.len();
                    // The stream may be gone already.
                    let _ = self.body.flow_control().release_capacity(bytes.len());
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        self.body.poll_trailers(cx).map(|trailers| trailers.is_ok())
    }

    fn reply(&mut self) -> Result<(), h2::Error> {
        let mut stream = self.respond.send_response(Response::new(()), false)?;
        let size = reply_size(&self.request.path);
        if size > 0 {
            stream.send_data(Bytes::from(vec![b'r'; size]), false)?;
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        stream.send_trailers(trailers)
    }
}
