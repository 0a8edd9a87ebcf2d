//! tonic's own server, without a store: a Get is answered with the value that its key stands for,
//! a Set with OK. It has the allocator that tiny-cache has.

use std::net::Ipv4Addr;

use tiny_cache_bench_peers::echo::{Values, port};
use tiny_cache_proto::cache::{
    CacheItem, CacheKey, CacheLookup, CacheResponse, CacheStats, CacheStatus, CacheValue,
    CompareAndSetRequest, ConditionalCacheResponse, Empty, MultiCacheItemRequest,
    MultiCacheKeyRequest, MultiCacheResponse, MultiCacheValueResponse,
    cache_service_server::{CacheService, CacheServiceServer},
};
use tonic::{Request, Response, Status, transport::Server};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Answer<T> = Result<Response<T>, Status>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(port) = port("tonic")? else { return Ok(()) };
    let echo = Echo(Values::default());
    let service = CacheServiceServer::new(echo);
    Server::builder().add_service(service).serve((Ipv4Addr::LOCALHOST, port).into()).await?;
    Ok(())
}

#[derive(Debug)]
struct Echo(Values);

#[tonic::async_trait]
impl CacheService for Echo {
    async fn get(&self, request: Request<CacheKey>) -> Answer<CacheValue> {
        let value = self.0.of(&request.get_ref().key);
        Ok(Response::new(CacheValue { found: true, value }))
    }

    async fn multi_get(
        &self,
        request: Request<MultiCacheKeyRequest>,
    ) -> Answer<MultiCacheValueResponse> {
        let lookup = |key: String| {
            let value = self.0.of(&key);
            CacheLookup { key, found: true, value, error: String::new() }
        };
        let items = request.into_inner().keys.into_iter().map(lookup).collect();
        Ok(Response::new(MultiCacheValueResponse { items }))
    }

    async fn set(&self, _: Request<CacheItem>) -> Answer<CacheResponse> {
        Ok(Response::new(CacheResponse { status: CacheStatus::Ok.into() }))
    }

    async fn set_if_absent(&self, _: Request<CacheItem>) -> Answer<ConditionalCacheResponse> {
        Err(not_measured())
    }

    async fn compare_and_set(
        &self,
        _: Request<CompareAndSetRequest>,
    ) -> Answer<ConditionalCacheResponse> {
        Err(not_measured())
    }

    async fn multi_set(&self, _: Request<MultiCacheItemRequest>) -> Answer<MultiCacheResponse> {
        Err(not_measured())
    }

    async fn delete(&self, _: Request<CacheKey>) -> Answer<CacheResponse> {
        Err(not_measured())
    }

    async fn multi_delete(&self, _: Request<MultiCacheKeyRequest>) -> Answer<MultiCacheResponse> {
        Err(not_measured())
    }

    async fn stats(&self, _: Request<Empty>) -> Answer<CacheStats> {
        Err(not_measured())
    }
}

fn not_measured() -> Status {
    Status::unimplemented("only Get, MultiGet and Set are measured")
}
