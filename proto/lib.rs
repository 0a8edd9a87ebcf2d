//! The wire contract of tiny-cache: messages, services and clients, generated from
//! `proto/cache.proto` and `proto/tinycache.proto`, and what server and clients share beside them:
//! the RPCs by name, the rules of keys and namespaces, the names of metadata and status codes. Knows
//! nothing of how a server keeps values.
//!
//! Feature `server` gives `cache::cache_service_server`, feature `client`
//! gives `cache::cache_service_client`; likewise `v1::cache_server` and `v1::cache_client`. The
//! messages are always there.

pub mod codec;
pub mod key;
pub mod method;
pub mod status;

/// Messages, enums and the service of package `cache`.
#[expect(missing_docs, reason = "generated; the documentation stands in proto/cache.proto")]
#[allow(clippy::pedantic, reason = "generated")]
pub mod cache {
    tonic::include_proto!("cache");
}

/// Messages, enums and the service of package `tinycache.v1`.
#[expect(missing_docs, reason = "generated; the documentation stands in proto/tinycache.proto")]
#[allow(clippy::pedantic, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("tinycache.v1");
}

/// The encoded `FileDescriptorSet` of both packages, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cache.fds"));

/// The metadata beside a status by which a server states that it has not executed the call. A
/// client may then repeat even a write that must not happen twice. A proxy never adds it, because
/// it does not know how far a call got. The server of this project never sends it, because it
/// answers every call that it accepts; a server that rejects calls while it drains does.
pub const NOT_EXECUTED: &str = "x-cache-not-executed";

/// The metadata that proxies and gRPC's `ring_hash` policy hash to choose the server of a call:
/// `base64(namespace + ":" + key)`. The server ignores it.
pub const X_CACHE_KEY: &str = "x-cache-key";

/// The metadata that names the keyspace of a call.
pub const X_CACHE_NAMESPACE: &str = "x-cache-namespace";

/// The metadata that names a call in logs and traces: sent by the caller or made by the server, and
/// part of every reply.
pub const X_REQUEST_ID: &str = "x-request-id";

/// Bytes that gRPC puts before each message: a flag for compression, and the length in 32 bits,
/// big endian.
pub const PREFIX_BYTES: usize = 5;

/// The service's full name, as it stands in request paths and in health checks.
pub const SERVICE_NAME: &str = "cache.CacheService";

/// The full name of the second service.
pub const SECOND_SERVICE_NAME: &str = "tinycache.v1.Cache";
