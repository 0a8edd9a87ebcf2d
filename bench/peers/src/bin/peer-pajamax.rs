//! pajamax, without a store: a Get is answered with the value that its key stands for, a Set with
//! OK. It has the allocator that tiny-cache has.
//!
//! What pajamax-build would generate is written out: its latest version does not fit pajamax 0.4.

use std::net::Ipv4Addr;

use bytes::Bytes;
use pajamax::{Config, PajamaxService, error::Error, local_build_response};
use prost::Message;
use tiny_cache_bench_peers::echo::{Values, port};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// More than the load opens.
const CONNECTIONS: usize = 1_000;

fn main() -> anyhow::Result<()> {
    let Some(port) = port("pajamax")? else { return Ok(()) };
    let echo = Echo(Values::default());
    Config::new()
        .max_concurrent_connections(CONNECTIONS)
        .add_service(echo)
        .serve((Ipv4Addr::LOCALHOST, port))?;
    Ok(())
}

#[derive(Clone, PartialEq, Message)]
struct CacheKey {
    #[prost(string, tag = "1")]
    key: String,
}

#[derive(Clone, PartialEq, Message)]
struct CacheValue {
    #[prost(bool, tag = "1")]
    found: bool,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct CacheItem {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
    #[prost(int32, tag = "3")]
    ttl: i32,
}

#[derive(Clone, PartialEq, Message)]
struct CacheResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct MultiCacheKeyRequest {
    #[prost(string, repeated, tag = "1")]
    keys: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct CacheLookup {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bool, tag = "2")]
    found: bool,
    #[prost(bytes = "bytes", tag = "3")]
    value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct MultiCacheValueResponse {
    #[prost(message, repeated, tag = "1")]
    items: Vec<CacheLookup>,
}

#[derive(Debug)]
struct Echo(Values);

impl Echo {
    fn lookup(&self, key: String) -> CacheLookup {
        let value = self.0.of(&key);
        CacheLookup { key, found: true, value }
    }
}

const GET: usize = 0;
const SET: usize = 1;
const MULTI_GET: usize = 2;

impl PajamaxService for Echo {
    fn is_dispatch_mode(&self) -> bool {
        false
    }

    fn route(&self, path: &[u8]) -> Option<usize> {
        match path {
            b"/cache.CacheService/Get" => Some(GET),
            b"/cache.CacheService/Set" => Some(SET),
            b"/cache.CacheService/MultiGet" => Some(MULTI_GET),
            _ => None,
        }
    }

    fn handle(&self, method: usize, request: &[u8], stream: u32) -> Result<(), Error> {
        match method {
            GET => {
                let value = self.0.of(&CacheKey::decode(request)?.key);
                local_build_response(stream, Ok(CacheValue { found: true, value }))
            }
            SET => {
                CacheItem::decode(request)?;
                local_build_response(stream, Ok(CacheResponse { status: 1 }))
            }
            _ => {
                let keys = MultiCacheKeyRequest::decode(request)?.keys;
                let items = keys.into_iter().map(|key| self.lookup(key)).collect();
                local_build_response(stream, Ok(MultiCacheValueResponse { items }))
            }
        }
    }
}
