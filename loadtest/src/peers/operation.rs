//! What each operation sends to each peer, and how it reads the reply: a file for each row of
//! the [table of operations](crate::workload::Operation).

pub(super) mod get;
pub(super) mod set;
pub(super) mod delete;
pub(super) mod set_if_absent;
pub(super) mod compare_and_set;
pub(super) mod multi_get;
pub(super) mod multi_set;

use super::{
    answer::Answer, error::CallError, memcached::Memcached, payloads::Payloads,
    reconnecting::Reconnecting, redis::Redis, tiny_cache::Calls,
};
use crate::values::Values;

/// What a call brought.
pub(super) type Reply = Result<Answer, CallError>;

/// One operation with each peer.
pub(super) trait Exchange {
    /// Makes the RPC.
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply;

    /// Makes the command of RESP.
    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply;

    /// Makes the command of memcached's text protocol.
    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply;
}
