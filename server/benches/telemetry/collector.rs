//! A collector that costs next to nothing: it takes whatever comes and looks at none of it.

use std::{convert::Infallible, future, net::SocketAddr, thread};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, runtime::Builder};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Takes,
    Hangs,
}

/// Starts a collector on a thread of its own, until the end of the process.
pub(crate) fn start(manner: Manner) -> String {
    let (sender, addr) = std::sync::mpsc::channel::<SocketAddr>();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let _ = sender.send(listener.local_addr().expect("it is bound"));
            while let Ok((socket, _)) = listener.accept().await {
                let connection = http2::Builder::new(TokioExecutor::new())
                    .initial_stream_window_size(16 << 20)
                    .initial_connection_window_size(16 << 20)
                    .serve_connection(
                        TokioIo::new(socket),
                        service_fn(move |request| answer(manner, request)),
                    );
                tokio::spawn(connection);
            }
        });
    });
    format!("http://{}", addr.recv().expect("the collector listens"))
}

/// An empty `ExportTraceServiceResponse`.
const TAKEN: Bytes = Bytes::from_static(&[0; 5]);

type Frames =
    StreamBody<futures::stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>>>;

async fn answer(
    manner: Manner,
    request: Request<Incoming>,
) -> Result<Response<Frames>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    if manner == Manner::Hangs {
        return future::pending().await;
    }
    let status = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        http::HeaderValue::from_static("0"),
    )]);
    let frames = futures::stream::iter([Ok(Frame::data(TAKEN)), Ok(Frame::trailers(status))]);
    let mut response = Response::new(StreamBody::new(frames));
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
    Ok(response)
}
