//! The wire contract of tiny-cache: messages, service and client, generated from
//! `proto/cache.proto`, and the rules of keys and namespaces, which server and clients share.
//! Knows nothing of how a server keeps values.
//!
//! Feature `server` gives `cache::cache_service_server`, feature `client`
//! gives `cache::cache_service_client`; the messages are always there.

pub mod codec;
pub mod key;

/// Messages, enums and the service of package `cache`.
#[expect(missing_docs, reason = "generated; the documentation stands in proto/cache.proto")]
pub mod cache {
    tonic::include_proto!("cache");
}

/// The encoded `FileDescriptorSet` of package `cache`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cache.fds"));

/// The metadata by which a server says, beside a status, that it has not executed the call: a
/// client may then repeat even what must not happen twice. A proxy, which does not know how far
/// a call got, never adds it. The server of this project answers whatever it has accepted, so
/// it has no use for it; one that turns calls away while it drains does.
pub const NOT_EXECUTED: &str = "x-cache-not-executed";

/// The service's full name, as it stands in request paths and in health checks.
pub const SERVICE_NAME: &str = "cache.CacheService";
