//! SetIfAbsent: writes one value unless a live one is there.

use tiny_cache_proto::{
    cache::{CacheItem, ConditionalCacheResponse, ConditionalCacheStatus},
    key::{Key, Namespace},
};

use super::Bounds;
use crate::{
    rejection::Rejection,
    store::{Lane, Outcome, Ttl},
};

pub(crate) fn set_if_absent(
    store: &Lane,
    _: Bounds,
    namespace: Namespace<'_>,
    message: CacheItem,
) -> Result<ConditionalCacheResponse, Rejection> {
    let key = Key::parse(namespace, &message.key)?;
    let outcome = store.set_if_absent(key, &message.value, Ttl::from_seconds(message.ttl))?;
    Ok(ConditionalCacheResponse { status: status(outcome).into() })
}

/// The wire's word for an outcome.
pub(super) fn status(outcome: Outcome) -> ConditionalCacheStatus {
    match outcome {
        Outcome::Stored => ConditionalCacheStatus::Stored,
        Outcome::Exists => ConditionalCacheStatus::Exists,
        Outcome::NotFound => ConditionalCacheStatus::NotFound,
        Outcome::Mismatch => ConditionalCacheStatus::Mismatch,
    }
}
