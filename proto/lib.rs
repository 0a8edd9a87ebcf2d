//! The wire contract of tiny-cache: messages, service and client, generated from
//! `proto/cache.proto`. Knows nothing of how a server keeps values.
//!
//! Feature `server` gives [`cache::cache_service_server`], feature `client`
//! gives [`cache::cache_service_client`]; the messages are always there.

pub mod codec;

/// Messages, enums and the service of package `cache`.
#[expect(missing_docs, reason = "generated; the documentation stands in proto/cache.proto")]
pub mod cache {
    tonic::include_proto!("cache");
}

/// The encoded `FileDescriptorSet` of package `cache`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cache.fds"));

/// The service's full name, as it stands in request paths and in health checks.
pub const SERVICE_NAME: &str = "cache.CacheService";
