//! MultiSet: writes many values.

use tiny_cache_proto::{
    cache::{CacheItem, MultiCacheItemRequest, MultiCacheResponse},
    key::{Key, Namespace},
};

use super::{Bounds, batch};
use crate::{
    rejection::Rejection,
    store::{Lane, Ttl},
};

pub(crate) fn multi_set(
    store: &Lane,
    bounds: Bounds,
    namespace: Namespace<'_>,
    message: MultiCacheItemRequest,
) -> Result<MultiCacheResponse, Rejection> {
    batch::check(bounds, message.items.len())?;
    let write = |item: &CacheItem| -> Result<(), Rejection> {
        let key = Key::parse(namespace, &item.key)?;
        Ok(store.set(key, &item.value, Ttl::from_seconds(item.ttl))?)
    };
    let items = batch::run(bounds.deadline, message.items, |item| {
        let done = write(&item);
        batch::result(item.key, done)
    })?;
    Ok(MultiCacheResponse { items })
}
