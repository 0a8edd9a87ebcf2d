//! What the three batches share: their bounds, and a result for each item.

use std::time::Instant;

use tiny_cache_proto::cache::{CacheOperationResult, CacheStatus};

use super::Bounds;
use crate::rejection::Rejection;

/// Refuses a batch of more items than are allowed.
pub(super) fn check(bounds: Bounds, items: usize) -> Result<(), Rejection> {
    let max = bounds.max_batch_items;
    if items > max { Err(Rejection::BatchTooLarge { items, max }) } else { Ok(()) }
}

/// Items between two looks at the clock: tens of microseconds.
const ITEMS_PER_LOOK: usize = 64;

/// Runs a batch item by item, and stops at the deadline of its call. What was done stays done,
/// as with any call whose caller stops waiting.
pub(super) fn run<T, R>(
    deadline: Option<Instant>,
    items: Vec<T>,
    mut one: impl FnMut(T) -> R,
) -> Result<Vec<R>, Rejection> {
    let mut results = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        // The first items come right after the call's own look.
        let look = place > 0 && place % ITEMS_PER_LOOK == 0;
        if look && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Rejection::DeadlineExceeded);
        }
        results.push(one(item));
    }
    Ok(results)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_batch_stops_at_the_deadline_of_its_call() {
        let items: Vec<u32> = (0..1000).collect();
        let passed = Instant::now();
        let mut done = 0;
        let stopped = run(Some(passed), items.clone(), |_| done += 1);
        assert_eq!((stopped, done), (Err(Rejection::DeadlineExceeded), ITEMS_PER_LOOK));

        for deadline in [None, Some(passed + Duration::from_secs(600))] {
            assert_eq!(run(deadline, items.clone(), |item| item).as_ref(), Ok(&items));
        }
    }
}
