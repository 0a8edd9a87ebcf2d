//! The wire contract of tiny-cache: messages, service and client, generated from
//! `proto/cache.proto`, and what server and clients share beside them: the RPCs by name, the rules
//! of keys and namespaces, the names of metadata and status codes. Knows nothing of how a server
//! keeps values.
//!
//! Feature `server` gives `cache::cache_service_server`, feature `client`
//! gives `cache::cache_service_client`; the messages are always there.

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

/// The encoded `FileDescriptorSet` of package `cache`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cache.fds"));

/// The metadata beside a status by which a server states that it has not executed the call. A
/// client may then repeat even a write that must not happen twice. A proxy never adds it, because
/// it does not know how far a call got. The server of this project never sends it, because it
/// answers every call that it accepts; a server that rejects calls while it drains does.
pub const NOT_EXECUTED: &str = "x-cache-not-executed";

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
