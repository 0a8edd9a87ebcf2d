//! The servers that are compared. All serve the same generated service, whose Get answers
//! with the bytes of the key that it was sent.

use std::{cell::RefCell, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use tiny_cache_proto::cache::{
    CacheItem, CacheKey, CacheResponse, CacheStats, CacheValue, CompareAndSetRequest,
    ConditionalCacheResponse, Empty, MultiCacheItemRequest, MultiCacheKeyRequest,
    MultiCacheResponse, MultiCacheValueResponse,
    cache_service_server::{CacheService, CacheServiceServer},
};
use tiny_cache_server::transport::{Limits, Peer, serve as serve_connection};
use tokio::{
    net::TcpListener,
    runtime::{Builder, LocalOptions},
};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tower::Service;

type Answer<T> = Result<tonic::Response<T>, Status>;

/// Serves until the process is killed; prints the port first.
pub(crate) fn serve(name: &str) {
    match name {
        "ours" => Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .expect("a runtime")
            .block_on(ours()),
        "stock" => {
            Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(stock());
        }
        "stock, 1 thread" => {
            Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(stock());
        }
        _ => panic!("no server is called {name:?}"),
    }
}

async fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("it is bound").port());
    listener
}

async fn ours() {
    let listener = listen().await;
    let limits = Limits {
        max_concurrent_streams: 256,
        handshake_timeout: Duration::from_secs(10),
        quiet_timeout: Duration::from_millis(100),
    };
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        socket.set_nodelay(true).expect("a TCP socket");
        tokio::task::spawn_local(async move {
            let echo = Generated(RefCell::new(CacheServiceServer::new(Echo)));
            let _ =
                serve_connection(socket, echo, limits, &Peer::default(), &CancellationToken::new())
                    .await;
        });
    }
}

async fn stock() {
    let listener = listen().await;
    // The sockets of an incoming stream take no options from the builder.
    let incoming = tokio_stream::StreamExt::map(TcpListenerStream::new(listener), |socket| {
        socket.inspect(|socket| socket.set_nodelay(true).expect("a TCP socket"))
    });
    tonic::transport::Server::builder()
        .max_concurrent_streams(256)
        .add_service(CacheServiceServer::new(Echo))
        .serve_with_incoming(incoming)
        .await
        .expect("it serves until it is killed");
}

/// The generated tower service as a hyper service of one connection.
struct Generated(RefCell<CacheServiceServer<Echo>>);

impl hyper::service::Service<Request<Incoming>> for Generated {
    type Response = Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = <CacheServiceServer<Echo> as Service<Request<Incoming>>>::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.0.borrow_mut().call(request)
    }
}

#[derive(Debug)]
struct Echo;

#[tonic::async_trait]
impl CacheService for Echo {
    async fn get(&self, request: tonic::Request<CacheKey>) -> Answer<CacheValue> {
        let value = request.into_inner().key.into_bytes().into();
        Ok(tonic::Response::new(CacheValue { found: true, value }))
    }

    async fn multi_get(
        &self,
        _: tonic::Request<MultiCacheKeyRequest>,
    ) -> Answer<MultiCacheValueResponse> {
        Err(only_get())
    }

    async fn set(&self, _: tonic::Request<CacheItem>) -> Answer<CacheResponse> {
        Err(only_get())
    }

    async fn set_if_absent(
        &self,
        _: tonic::Request<CacheItem>,
    ) -> Answer<ConditionalCacheResponse> {
        Err(only_get())
    }

    async fn compare_and_set(
        &self,
        _: tonic::Request<CompareAndSetRequest>,
    ) -> Answer<ConditionalCacheResponse> {
        Err(only_get())
    }

    async fn multi_set(
        &self,
        _: tonic::Request<MultiCacheItemRequest>,
    ) -> Answer<MultiCacheResponse> {
        Err(only_get())
    }

    async fn delete(&self, _: tonic::Request<CacheKey>) -> Answer<CacheResponse> {
        Err(only_get())
    }

    async fn multi_delete(
        &self,
        _: tonic::Request<MultiCacheKeyRequest>,
    ) -> Answer<MultiCacheResponse> {
        Err(only_get())
    }

    async fn stats(&self, _: tonic::Request<Empty>) -> Answer<CacheStats> {
        Err(only_get())
    }
}

fn only_get() -> Status {
    Status::unimplemented("the bench only calls Get")
}
