//! The tonic service. It only delegates: each RPC is a file in [`command`].

use prost::Message;
use tiny_cache_proto::{
    cache::{
        CacheItem, CacheKey, CacheResponse, CacheStats, CacheValue, CompareAndSetRequest,
        ConditionalCacheResponse, Empty, MultiCacheItemRequest, MultiCacheKeyRequest,
        MultiCacheResponse, MultiCacheValueResponse, cache_service_server::CacheService,
    },
    key::Namespace,
};
use tonic::{Request, Response, Status};

use crate::{
    command::{self, Bounds},
    rejection::Rejection,
    rpc::{Describe, Facts, Named, Reply, current_deadline},
    store::Lane,
};

/// The metadata that names the keyspace.
pub(crate) const X_CACHE_NAMESPACE: &str = "x-cache-namespace";

/// The nine RPCs, over one worker's lane of the store.
#[derive(Debug)]
pub(crate) struct CacheRpcs {
    store: Lane,
    bounds: Bounds,
}

impl CacheRpcs {
    pub(crate) fn new(store: Lane, bounds: Bounds) -> Self {
        Self { store, bounds }
    }

    /// Counts a refusal that the store has not counted itself.
    fn count(&self, namespace: Namespace<'_>, rejection: &Rejection) {
        if !matches!(rejection, Rejection::Store(_)) {
            self.store.count_refusal(namespace);
        }
    }

    /// Reads the caller's namespace, runs a command in it, and leaves the facts about it.
    fn run<M: Message + Describe, R: Reply>(
        &self,
        request: Request<M>,
        command: impl FnOnce(&Lane, Bounds, Namespace<'_>, M) -> Result<R, Rejection>,
    ) -> Result<Response<R>, Status> {
        let (metadata, _extensions, message) = request.into_parts();
        let mut facts = Facts::of_request(&message);
        facts.leave();
        let namespace = match metadata.get(X_CACHE_NAMESPACE) {
            None => Namespace::SHARED,
            // Bytes that are no text are no namespace either; "?" is none.
            Some(text) => {
                Namespace::parse(text.to_str().unwrap_or("?")).map_err(Rejection::from)?
            }
        };
        Named::leave(namespace.as_str(), &message);
        let bounds = Bounds { deadline: current_deadline(), ..self.bounds };
        let reply = command(&self.store, bounds, namespace, message)
            .inspect_err(|rejection| self.count(namespace, rejection))?;
        facts.add_reply(&reply);
        facts.leave();
        let segments = reply.segments();
        let mut response = Response::new(reply);
        if let Some(segments) = segments {
            response.extensions_mut().insert(segments);
        }
        Ok(response)
    }
}

#[tonic::async_trait]
impl CacheService for CacheRpcs {
    async fn get(&self, request: Request<CacheKey>) -> Result<Response<CacheValue>, Status> {
        self.run(request, command::get)
    }

    async fn multi_get(
        &self,
        request: Request<MultiCacheKeyRequest>,
    ) -> Result<Response<MultiCacheValueResponse>, Status> {
        self.run(request, command::multi_get)
    }

    async fn set(&self, request: Request<CacheItem>) -> Result<Response<CacheResponse>, Status> {
        self.run(request, command::set)
    }

    async fn set_if_absent(
        &self,
        request: Request<CacheItem>,
    ) -> Result<Response<ConditionalCacheResponse>, Status> {
        self.run(request, command::set_if_absent)
    }

    async fn compare_and_set(
        &self,
        request: Request<CompareAndSetRequest>,
    ) -> Result<Response<ConditionalCacheResponse>, Status> {
        self.run(request, command::compare_and_set)
    }

    async fn multi_set(
        &self,
        request: Request<MultiCacheItemRequest>,
    ) -> Result<Response<MultiCacheResponse>, Status> {
        self.run(request, command::multi_set)
    }

    async fn delete(&self, request: Request<CacheKey>) -> Result<Response<CacheResponse>, Status> {
        self.run(request, command::delete)
    }

    async fn multi_delete(
        &self,
        request: Request<MultiCacheKeyRequest>,
    ) -> Result<Response<MultiCacheResponse>, Status> {
        self.run(request, command::multi_delete)
    }

    async fn stats(&self, request: Request<Empty>) -> Result<Response<CacheStats>, Status> {
        self.run(request, command::stats)
    }
}
