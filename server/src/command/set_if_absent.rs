//! SetIfAbsent: writes one value unless a live one is there.

use tiny_cache_proto::{
    cache::{CacheItem, ConditionalCacheResponse, ConditionalCacheStatus},
    key::Key,
};

use super::contract::{Command, Context};
use crate::{
    call::ReplyMessage,
    rejection::Rejection,
    store::{Outcome, Ttl},
};

pub(crate) struct SetIfAbsent;

impl Command for SetIfAbsent {
    type Request = CacheItem;
    type Reply = ConditionalCacheResponse;

    async fn run(
        context: &Context<'_>,
        message: CacheItem,
    ) -> Result<ConditionalCacheResponse, Rejection> {
        let key = Key::parse(context.namespace, &message.key)?;
        let ttl = Ttl::from_seconds(message.ttl);
        Ok(reply(context.store.set_if_absent(key, &message.value, ttl)?))
    }
}

impl ReplyMessage for ConditionalCacheResponse {}

/// The reply of a conditional write.
pub(super) fn reply(outcome: Outcome) -> ConditionalCacheResponse {
    let status = match outcome {
        Outcome::Stored => ConditionalCacheStatus::Stored,
        Outcome::Exists => ConditionalCacheStatus::Exists,
        Outcome::NotFound => ConditionalCacheStatus::NotFound,
        Outcome::Mismatch => ConditionalCacheStatus::Mismatch,
    };
    ConditionalCacheResponse { status: status.into() }
}
