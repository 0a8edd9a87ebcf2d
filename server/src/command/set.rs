//! Set: writes one value.

use tiny_cache_proto::{
    cache::{CacheItem, CacheResponse, CacheStatus},
    key::{Key, Namespace},
};

use super::Bounds;
use crate::{
    rejection::Rejection,
    store::{Lane, Ttl},
};

pub(crate) fn set(
    store: &Lane,
    _: Bounds,
    namespace: Namespace<'_>,
    message: CacheItem,
) -> Result<CacheResponse, Rejection> {
    let key = Key::parse(namespace, &message.key)?;
    store.set(key, &message.value, Ttl::from_seconds(message.ttl))?;
    Ok(CacheResponse { status: CacheStatus::Ok.into() })
}
