//! MultiDelete: removes many values.

use tiny_cache_proto::{
    cache::{MultiCacheKeyRequest, MultiCacheResponse},
    key::{Key, Namespace},
};

use super::{Bounds, batch};
use crate::{rejection::Rejection, store::Lane};

pub(crate) fn multi_delete(
    store: &Lane,
    bounds: Bounds,
    namespace: Namespace<'_>,
    message: MultiCacheKeyRequest,
) -> Result<MultiCacheResponse, Rejection> {
    batch::check(bounds, message.keys.len())?;
    let remove = |text: &str| -> Result<(), Rejection> {
        store.delete(Key::parse(namespace, text)?);
        Ok(())
    };
    let items = batch::run(bounds.deadline, message.keys, |key| {
        let done = remove(&key);
        batch::result(key, done)
    })?;
    Ok(MultiCacheResponse { items })
}
