//! Get: reads one value.

use bytes::Bytes;
use tiny_cache_proto::{
    cache::{CacheKey, CacheValue},
    key::{Key, Namespace},
};

use super::Bounds;
use crate::{
    rejection::Rejection,
    store::{Lane, Lookup},
};

pub(crate) fn get(
    store: &Lane,
    _: Bounds,
    namespace: Namespace<'_>,
    message: CacheKey,
) -> Result<CacheValue, Rejection> {
    let key = Key::parse(namespace, &message.key)?;
    Ok(match store.get(key) {
        Lookup::Hit(value) => CacheValue { found: true, value },
        Lookup::Miss => CacheValue { found: false, value: Bytes::new() },
    })
}
