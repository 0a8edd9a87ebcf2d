//! A cache server of a few lines on a port of its own: keeps everything, and can be told
//! to behave badly in one way.

#![allow(dead_code, reason = "each test binary uses what it needs")]

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Condvar, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::stream;
use tiny_cache_proto::cache::{
    cache_service_server::{CacheService, CacheServiceServer},
    *,
};
use tokio::{net::TcpSocket, runtime::Runtime};
use tonic::{Request, Response, Status, transport::Server};

/// How a server behaves.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(crate) struct Manners {
    /// A Set of this key is refused for its size.
    pub refuse_set_of: Option<&'static str>,
    /// Every Get fails.
    pub refuse_gets: bool,
    /// Every Set is answered with status ERROR.
    pub reply_error: bool,
    /// A Get of this key is never answered.
    pub hang_on: Option<&'static str>,
    /// Stats is not implemented.
    pub no_stats: bool,
    /// Stats fails.
    pub refuse_stats: bool,
    /// A Get of this key breaks its connection.
    pub hang_up_at: Option<&'static str>,
    /// What it does wrong without saying so.
    pub lie: Option<Lie>,
    /// From the Get of this number on, counted from 1, no Get is answered for a second.
    pub stall_at: Option<u64>,
    /// A MultiDelete is refused.
    pub refuse_removals: bool,
    /// No more entries than these are kept: a Set beyond evicts another one.
    pub room: Option<usize>,
    /// Gets and Sets are answered one after the other, each after its part of a second.
    pub per_second: Option<u32>,
}

/// How much of its idle time a throttled server makes up for.
const KEPT: Duration = Duration::from_millis(40);

/// What a cache must not do.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Lie {
    /// A Set of a key that is there is not made.
    KeepsOldValues,
    /// A Delete is not made.
    KeepsDeleted,
    /// The last bit of a value is turned.
    TurnsABit,
    /// All namespaces are one.
    MixesNamespaces,
    /// A Get answers with the value of the first key.
    MixesKeys,
}

/// A running server; it ends with the value.
pub(crate) struct FakeServer {
    address: SocketAddr,
    cache: Arc<Cache>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Cache {
    manners: Manners,
    entries: Mutex<BTreeMap<String, (Bytes, i32)>>,
    gets: Mutex<u64>,
    stall: OnceLock<Instant>,
    /// When the last of those that wait for their turn is answered.
    turn: Mutex<Option<Instant>>,
    got: Condvar,
    evictions: AtomicUsize,
    connections: AtomicUsize,
    /// A second handle of every socket, by the client's address.
    sockets: Mutex<HashMap<SocketAddr, TcpStream>>,
}

impl FakeServer {
    /// Starts a server that is ready when this returns.
    pub(crate) fn start(manners: Manners) -> Self {
        Self::start_on(Self::port(), manners)
    }

    /// A port that refuses connections until a server is started on it.
    pub(crate) fn port() -> TcpSocket {
        let port = TcpSocket::new_v4().unwrap();
        port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        port
    }

    /// Starts a server on this port.
    pub(crate) fn start_on(port: TcpSocket, manners: Manners) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(async { port.listen(128) }).unwrap();
        let address = listener.local_addr().unwrap();
        let cache = Arc::new(Cache { manners, ..Cache::default() });

        let service =
            CacheServiceServer::from_arc(Arc::clone(&cache)).max_decoding_message_size(usize::MAX);
        let counted = Arc::clone(&cache);
        let incoming = stream::unfold(listener, move |listener| {
            let counted = Arc::clone(&counted);
            async move {
                let socket = listener.accept().await.map(|(socket, _)| socket);
                // Tonic sets no options on sockets that it is handed: without this, a
                // reply now and then waits for a delayed acknowledgement.
                let socket = socket.and_then(|socket| socket.set_nodelay(true).map(|()| socket));
                let socket = socket.and_then(|socket| counted.keep(socket));
                counted.connections.fetch_add(1, Ordering::Relaxed);
                Some((socket, listener))
            }
        });
        runtime
            .spawn(Server::builder().add_service(service).serve_with_incoming(Box::pin(incoming)));
        Self { address, cache, _runtime: runtime }
    }

    /// Where it listens.
    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    /// The keys it holds, `NAMESPACE/KEY` where there was a namespace.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.cache.entries.lock().unwrap().keys().cloned().collect()
    }

    /// Size and ttl of an entry.
    pub(crate) fn entry(&self, key: &str) -> Option<(usize, i32)> {
        self.cache.entries.lock().unwrap().get(key).map(|(value, ttl)| (value.len(), *ttl))
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.cache.connections.load(Ordering::Relaxed)
    }

    /// Returns as soon as so many Gets have come in.
    pub(crate) fn wait_for_gets(&self, count: u64) {
        let gets = self.cache.gets.lock().unwrap();
        drop(self.cache.got.wait_while(gets, |gets| *gets < count).unwrap());
    }
}

impl Cache {
    /// Keeps a second handle of a socket, by which the connection can be broken.
    fn keep(&self, socket: tokio::net::TcpStream) -> std::io::Result<tokio::net::TcpStream> {
        let (peer, socket) = (socket.peer_addr()?, socket.into_std()?);
        self.sockets.lock().unwrap().insert(peer, socket.try_clone()?);
        tokio::net::TcpStream::from_std(socket)
    }

    fn hang_up(&self, peer: SocketAddr) {
        self.sockets.lock().unwrap()[&peer].shutdown(Shutdown::Both).unwrap();
    }
}

impl Cache {
    /// Waits until those that came before are answered, and for its own part of a second. The
    /// parts follow one another by the clock, and some that nobody asked for are kept: neither
    /// a timer that fires late nor a moment without the CPU takes anything from the rate.
    async fn wait_for_turn(&self) {
        let Some(per_second) = self.manners.per_second else { return };
        let end = {
            let mut turn = self.turn.lock().unwrap();
            let now = Instant::now();
            let end =
                turn.map_or(now, |last| last.max(now - KEPT)) + Duration::from_secs(1) / per_second;
            *turn.insert(end)
        };
        tokio::time::sleep_until(end.into()).await;
    }
}

fn full_key<T>(cache: &Cache, request: &Request<T>, key: &str) -> String {
    match request.metadata().get("x-cache-namespace") {
        _ if cache.manners.lie == Some(Lie::MixesNamespaces) => key.to_owned(),
        Some(namespace) => format!("{}/{key}", namespace.to_str().unwrap()),
        None => key.to_owned(),
    }
}

#[tonic::async_trait]
impl CacheService for Cache {
    async fn get(&self, request: Request<CacheKey>) -> Result<Response<CacheValue>, Status> {
        let number = {
            let mut gets = self.gets.lock().unwrap();
            *gets += 1;
            *gets
        };
        self.got.notify_all();
        self.wait_for_turn().await;
        if self.manners.stall_at.is_some_and(|stalled| number >= stalled) {
            let end = self.stall.get_or_init(|| Instant::now() + Duration::from_secs(1));
            tokio::time::sleep_until((*end).into()).await;
        }
        let key = full_key(self, &request, &request.get_ref().key);
        if self.manners.hang_on == Some(key.as_str()) {
            std::future::pending::<()>().await;
        }
        if self.manners.hang_up_at == Some(key.as_str()) {
            self.hang_up(request.remote_addr().unwrap());
            std::future::pending::<()>().await;
        }
        if self.manners.refuse_gets {
            return Err(Status::internal("Internal server error (request_id=1)"));
        }
        let entries = self.entries.lock().unwrap();
        let entry = match self.manners.lie {
            Some(Lie::MixesKeys) => entries.values().next(),
            _ => entries.get(&key),
        };
        let found = entry.map(|(value, _)| match self.manners.lie {
            Some(Lie::TurnsABit) => {
                let mut value = value.to_vec();
                *value.last_mut().unwrap() ^= 1;
                value.into()
            }
            _ => value.clone(),
        });
        Ok(Response::new(CacheValue { found: found.is_some(), value: found.unwrap_or_default() }))
    }

    async fn set(&self, request: Request<CacheItem>) -> Result<Response<CacheResponse>, Status> {
        self.wait_for_turn().await;
        let key = full_key(self, &request, &request.get_ref().key);
        if self.manners.refuse_set_of == Some(key.as_str()) {
            return Err(Status::resource_exhausted(
                "Value exceeds maximum allowed cache entry size",
            ));
        }
        if self.manners.reply_error {
            return Ok(Response::new(CacheResponse { status: CacheStatus::Error.into() }));
        }
        let CacheItem { value, ttl, .. } = request.into_inner();
        let mut entries = self.entries.lock().unwrap();
        if self.manners.lie != Some(Lie::KeepsOldValues) || !entries.contains_key(&key) {
            entries.insert(key, (value, ttl));
        }
        if self.manners.room.is_some_and(|room| entries.len() > room) {
            entries.pop_first();
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Response::new(CacheResponse { status: CacheStatus::Ok.into() }))
    }

    async fn delete(&self, request: Request<CacheKey>) -> Result<Response<CacheResponse>, Status> {
        let key = full_key(self, &request, &request.get_ref().key);
        if self.manners.lie != Some(Lie::KeepsDeleted) {
            self.entries.lock().unwrap().remove(&key);
        }
        Ok(Response::new(CacheResponse { status: CacheStatus::Ok.into() }))
    }

    async fn stats(&self, _: Request<Empty>) -> Result<Response<CacheStats>, Status> {
        if self.manners.no_stats {
            return Err(Status::unimplemented("no Stats here"));
        }
        if self.manners.refuse_stats {
            return Err(Status::permission_denied("not for you"));
        }
        let size = i32::try_from(self.entries.lock().unwrap().len()).unwrap();
        let evictions = i32::try_from(self.evictions.load(Ordering::Relaxed)).unwrap();
        let max_memory_bytes = 100 << 20;
        Ok(Response::new(CacheStats { size, evictions, max_memory_bytes, ..CacheStats::default() }))
    }

    async fn multi_get(
        &self,
        request: Request<MultiCacheKeyRequest>,
    ) -> Result<Response<MultiCacheValueResponse>, Status> {
        let entries = self.entries.lock().unwrap();
        let item = |key: &String| {
            let found = entries.get(&full_key(self, &request, key));
            CacheLookup {
                key: key.clone(),
                found: found.is_some(),
                value: found.map(|(value, _)| value.clone()).unwrap_or_default(),
                error: String::new(),
            }
        };
        let items = request.get_ref().keys.iter().map(item).collect();
        Ok(Response::new(MultiCacheValueResponse { items }))
    }

    async fn set_if_absent(
        &self,
        request: Request<CacheItem>,
    ) -> Result<Response<ConditionalCacheResponse>, Status> {
        let key = full_key(self, &request, &request.get_ref().key);
        let CacheItem { value, ttl, .. } = request.into_inner();
        let status = match self.entries.lock().unwrap().entry(key) {
            Entry::Occupied(_) => ConditionalCacheStatus::Exists,
            Entry::Vacant(place) => {
                place.insert((value, ttl));
                ConditionalCacheStatus::Stored
            }
        };
        Ok(Response::new(ConditionalCacheResponse { status: status.into() }))
    }

    async fn compare_and_set(
        &self,
        request: Request<CompareAndSetRequest>,
    ) -> Result<Response<ConditionalCacheResponse>, Status> {
        let key = full_key(self, &request, &request.get_ref().key);
        let CompareAndSetRequest { expected_value, value, ttl, .. } = request.into_inner();
        let status = match self.entries.lock().unwrap().get_mut(&key) {
            None => ConditionalCacheStatus::NotFound,
            Some((there, _)) if *there != expected_value => ConditionalCacheStatus::Mismatch,
            Some(there) => {
                *there = (value, ttl);
                ConditionalCacheStatus::Stored
            }
        };
        Ok(Response::new(ConditionalCacheResponse { status: status.into() }))
    }

    async fn multi_set(
        &self,
        request: Request<MultiCacheItemRequest>,
    ) -> Result<Response<MultiCacheResponse>, Status> {
        let mut entries = self.entries.lock().unwrap();
        let mut items = Vec::new();
        for CacheItem { key, value, ttl } in &request.get_ref().items {
            entries.insert(full_key(self, &request, key), (value.clone(), *ttl));
            let status = CacheStatus::Ok.into();
            items.push(CacheOperationResult { key: key.clone(), status, error: String::new() });
        }
        Ok(Response::new(MultiCacheResponse { items }))
    }

    async fn multi_delete(
        &self,
        request: Request<MultiCacheKeyRequest>,
    ) -> Result<Response<MultiCacheResponse>, Status> {
        if self.manners.refuse_removals {
            return Err(Status::permission_denied("not for you"));
        }
        let mut entries = self.entries.lock().unwrap();
        let mut items = Vec::new();
        for key in &request.get_ref().keys {
            entries.remove(&full_key(self, &request, key));
            let status = CacheStatus::Ok.into();
            items.push(CacheOperationResult { key: key.clone(), status, error: String::new() });
        }
        Ok(Response::new(MultiCacheResponse { items }))
    }
}
