//! The keys of every attribute, and the values that are a closed set.
//!
//! The first part follows OpenTelemetry's semantic conventions for gRPC, version 1.42
//! (<https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>); the crate of the conventions
//! has their names. The second part is our own.

use tonic::Code;

pub(super) use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, RPC_METHOD, RPC_METHOD_ORIGINAL,
    RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME, SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION,
};

/// The instrumentation scope of every span.
pub(super) const SCOPE: &str = "tiny-cache-server";

/// The value of [`RPC_SYSTEM_NAME`].
pub(super) const GRPC: &str = "grpc";

/// The `x-request-id` that the reply carries.
pub(super) const REQUEST_ID: &str = "tiny_cache.request_id";
/// Whether Get found a live entry.
pub(super) const HIT: &str = "tiny_cache.hit";
/// Keys that MultiGet found.
pub(super) const HITS: &str = "tiny_cache.hits";
/// Keys that MultiGet did not find.
pub(super) const MISSES: &str = "tiny_cache.misses";
/// Keys asked for, items written, or keys deleted.
pub(super) const ITEMS: &str = "tiny_cache.items";
/// Bytes of all values read or written.
pub(super) const VALUE_BYTES: &str = "tiny_cache.value_bytes";
/// The keys; only with `CACHE_TRACE_KEYS`.
pub(super) const KEYS: &str = "tiny_cache.keys";
/// The namespace of the keys; only with `CACHE_TRACE_KEYS`.
pub(super) const NAMESPACE: &str = "tiny_cache.namespace";

/// Whether a status is the server's failure. The others are the caller's, and no error of the
/// server's span.
pub(super) fn is_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
