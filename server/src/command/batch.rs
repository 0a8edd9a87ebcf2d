//! What the three batches share: their bound, and a result for each item.

use tiny_cache_proto::cache::{CacheOperationResult, CacheStatus};

use super::Bounds;
use crate::rejection::Rejection;

/// Refuses a batch of more items than are allowed.
pub(super) fn check(bounds: Bounds, items: usize) -> Result<(), Rejection> {
    let max = bounds.max_batch_items;
    if items > max { Err(Rejection::BatchTooLarge { items, max }) } else { Ok(()) }
}

/// The result of one write: an item that is refused does not fail the others.
pub(super) fn result(key: String, done: Result<(), Rejection>) -> CacheOperationResult {
    match done {
        Ok(()) => {
            CacheOperationResult { key, status: CacheStatus::Ok.into(), error: String::new() }
        }
        Err(rejection) => CacheOperationResult {
            key,
            status: CacheStatus::Error.into(),
            error: rejection.to_string(),
        },
    }
}
