//! The keys of every attribute, the values that are a closed set, and the attributes of a span.
//!
//! The first part follows OpenTelemetry's semantic conventions, version 1.42, for gRPC
//! (<https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>) and for Redis
//! (<https://opentelemetry.io/docs/specs/semconv/db/redis/>); the crate of the conventions has
//! their names. The second part is our own.

use opentelemetry::{KeyValue, Value};
use tonic::Code;

pub(super) use opentelemetry_semantic_conventions::attribute::{
    DB_OPERATION_BATCH_SIZE, DB_OPERATION_NAME, DB_SYSTEM_NAME, ERROR_TYPE, NETWORK_PEER_ADDRESS,
    NETWORK_PEER_PORT, RPC_METHOD, RPC_METHOD_ORIGINAL, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME,
    SERVER_ADDRESS, SERVER_PORT, SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION,
};

/// The instrumentation scope of every span.
pub(super) const SCOPE: &str = "tiny-cache-server";

/// The value of [`RPC_SYSTEM_NAME`].
pub(super) const GRPC: &str = "grpc";

/// The value of [`DB_SYSTEM_NAME`], of Valkey too, for which the conventions have none.
pub(super) const REDIS: &str = "redis";

/// The `x-request-id` that the reply carries.
pub(super) const REQUEST_ID: &str = "tiny_cache.request_id";
/// Whether a read of one key found a live entry.
pub(super) const HIT: &str = "tiny_cache.hit";
/// Keys that a read of many found.
pub(super) const HITS: &str = "tiny_cache.hits";
/// Keys that it did not find.
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

/// Attributes of a span without keys: an allocation of this size holds them all.
const USUAL: usize = 10;

/// The attributes of one span, up to a limit.
pub(super) struct Attributes {
    pub(super) list: Vec<KeyValue>,
    room: u32,
    pub(super) dropped: u32,
}

impl Attributes {
    pub(super) fn with_room(room: u32) -> Self {
        Self { list: Vec::with_capacity(USUAL), room, dropped: 0 }
    }

    pub(super) fn add(&mut self, key: &'static str, value: impl Into<Value>) {
        if self.room == 0 {
            self.dropped += 1;
            return;
        }
        self.room -= 1;
        self.list.push(KeyValue::new(key, value));
    }

    pub(super) fn number(&mut self, key: &'static str, value: u64) {
        self.add(key, i64::try_from(value).unwrap_or(i64::MAX));
    }
}
