//! Delete: removes one value.

use tiny_cache_proto::{
    cache::{CacheKey, CacheResponse, CacheStatus},
    key::{Key, Namespace},
};

use super::Bounds;
use crate::{rejection::Rejection, store::Lane};

pub(crate) fn delete(
    store: &Lane,
    _: Bounds,
    namespace: Namespace<'_>,
    message: CacheKey,
) -> Result<CacheResponse, Rejection> {
    let key = Key::parse(namespace, &message.key)?;
    store.delete(key);
    Ok(CacheResponse { status: CacheStatus::Ok.into() })
}
