//! What the three batches share: their bounds, and a result for each item.

use std::time::Instant;

use tiny_cache_proto::cache::{CacheOperationResult, CacheStatus};
use tokio::task::yield_now;

use super::contract::{Context, GROUP};
use crate::rejection::Rejection;

/// Runs a batch item by item, unless it has more items than are allowed. Between groups it lets
/// others go first, and stops at the deadline of its call. What was done stays done, as with any
/// call whose caller stops waiting.
pub(super) async fn run<T, R>(
    context: &Context<'_>,
    items: Vec<T>,
    one: impl FnMut(T) -> R,
) -> Result<Vec<R>, Rejection> {
    let max = context.bounds.max_batch_items;
    if items.len() > max {
        return Err(Rejection::BatchTooLarge { items: items.len(), max });
    }
    until(context.deadline, items, one).await
}

async fn until<T, R>(
    deadline: Option<Instant>,
    items: Vec<T>,
    mut one: impl FnMut(T) -> R,
) -> Result<Vec<R>, Rejection> {
    let mut results = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        // The first items come right after the call's own look.
        if place > 0 && place % GROUP == 0 {
            yield_now().await;
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Rejection::DeadlineExceeded);
            }
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
    use std::{future::poll_fn, pin::pin, time::Duration};

    #[tokio::test]
    async fn a_batch_stops_at_the_deadline_of_its_call() {
        let items: Vec<u32> = (0..1000).collect();
        let passed = Instant::now();
        let mut done = 0;
        let stopped = until(Some(passed), items.clone(), |_| done += 1).await;
        assert_eq!((stopped, done), (Err(Rejection::DeadlineExceeded), GROUP));

        for deadline in [None, Some(passed + Duration::from_secs(600))] {
            assert_eq!(until(deadline, items.clone(), |item| item).await.as_ref(), Ok(&items));
        }
    }

    #[tokio::test]
    async fn a_batch_lets_others_go_first_between_groups_and_not_within() {
        for (items, turns) in [(1, 1), (GROUP, 1), (GROUP + 1, 2), (10 * GROUP, 10)] {
            let mut batch = pin!(until(None, vec![(); items], |()| ()));
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                batch.as_mut().poll(cx)
            })
            .await
            .unwrap();
            assert_eq!(polls, turns, "{items} items");
        }
    }
}
