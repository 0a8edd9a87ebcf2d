//! What each operation sends to each peer, and how it reads the reply: a file for each row of
//! the [table of operations](crate::workload::Operation).

pub(super) mod get;
pub(super) mod fetch; // a read that may come with a lease
pub(super) mod fill; // and the write after its miss
pub(super) mod set;
pub(super) mod delete;
pub(super) mod set_if_absent;
pub(super) mod compare_and_set;
pub(super) mod multi_get;
pub(super) mod multi_set;
pub(super) mod read;
pub(super) mod replace;
pub(super) mod incr;

use std::time::Duration;

use tiny_cache_client::Ttl;

use super::{
    answer::Answer, error::CallError, memcached::Memcached, payloads::Payloads,
    reconnecting::Reconnecting, redis::Redis, several::Asked, tiny_cache::Calls,
};
use crate::values::Values;

/// A TTL as the client library takes it: zero for no expiry, as on the wire.
fn lifetime(ttl: Ttl) -> Duration {
    Duration::from_secs(u64::try_from(ttl.seconds()).unwrap_or_default())
}

/// What a call brought.
pub(super) type Reply = Result<Answer, CallError>;

/// One operation with each peer.
pub(super) trait Exchange {
    /// Makes the RPC.
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply;

    /// Makes the call of the client library.
    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply;

    /// Makes the command of RESP.
    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply;

    /// Makes the command of memcached's text protocol.
    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply;
}
