//! What batches share: their bounds, their groups, and a result for each item.

use std::time::Instant;

use tiny_cache_proto::{cache::CacheStatus, key::Key};
use tokio::task::yield_now;

use super::contract::{Context, GROUP};
use crate::{
    call::{ReplyMessage, ReplyWriter, field_len},
    rejection::Rejection,
    store::Located,
    tier::Down,
};

/// What became of each item of a batch of writes, in their order.
#[derive(Debug)]
pub(crate) struct Results<'a>(Vec<ItemResult<'a>>);

#[derive(Debug)]
struct ItemResult<'a> {
    key: &'a str,
    /// Why it was not carried out, if it was not.
    error: Option<String>,
}

/// Runs a batch group by group, unless it has more items than are allowed. Between groups it lets
/// others go first, and stops at the deadline of its call. What was done stays done, as with any
/// call whose caller stops waiting.
pub(super) async fn run<T, R>(
    context: &Context<'_>,
    items: &[T],
    one_group: impl FnMut(&[T], &mut Vec<R>),
) -> Result<Vec<R>, Rejection> {
    check(context, items.len())?;
    until(context.terms.deadline, items, one_group).await
}

/// Refuses a batch of more items than are allowed.
pub(super) fn check(context: &Context<'_>, items: usize) -> Result<(), Rejection> {
    let max = context.bounds.max_batch_items;
    if items > max { Err(Rejection::BatchTooLarge { items, max }) } else { Ok(()) }
}

/// Runs a batch of writes on the second tier: begins them all, in their order, and then waits for
/// each.
pub(super) async fn write_through<'a, T: Copy, F>(
    context: &Context<'a>,
    items: &[T],
    key_of: impl Fn(T) -> &'a str,
    begin: impl Fn(T, Key<'a>) -> Result<F, Rejection>,
) -> Result<Results<'a>, Rejection>
where
    F: Future<Output = Result<(), Down>>,
{
    check(context, items.len())?;
    let begun = items.iter().map(|&item| begin(item, Key::parse(context.namespace, key_of(item))?));
    let begun: Vec<_> = begun.collect();
    let mut results = Vec::with_capacity(items.len());
    for (&item, begun) in items.iter().zip(begun) {
        let error = match begun {
            Ok(outcome) => outcome.await.err().map(|down| down.to_string()),
            Err(refused) => Some(refused.to_string()),
        };
        results.push(ItemResult { key: key_of(item), error });
    }
    Ok(Results(results))
}

/// Runs a batch of writes: an item that is refused does not fail the others.
pub(super) async fn write<'a, T: Copy>(
    context: &Context<'_>,
    items: &[T],
    key_of: impl Fn(T) -> &'a str,
    one: impl Fn(T, Located<'_>) -> Result<(), Rejection>,
) -> Result<Results<'a>, Rejection> {
    let results = run(context, items, |group, results| {
        let keys = group.iter().map(|&item| Key::parse(context.namespace, key_of(item)));
        let places = context.store.locate_all(keys);
        results.extend(group.iter().zip(places).map(|(&item, place)| {
            let done = place.map_err(Rejection::from).and_then(|place| one(item, place));
            ItemResult { key: key_of(item), error: done.err().map(|error| error.to_string()) }
        }));
    });
    Ok(Results(results.await?))
}

async fn until<T, R>(
    deadline: Option<Instant>,
    items: &[T],
    mut one_group: impl FnMut(&[T], &mut Vec<R>),
) -> Result<Vec<R>, Rejection> {
    let mut results = Vec::with_capacity(items.len());
    for group in items.chunks(GROUP) {
        // The first group comes right after the call's own look.
        if !results.is_empty() {
            yield_now().await;
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Rejection::DeadlineExceeded);
            }
        }
        one_group(group, &mut results);
    }
    Ok(results)
}

impl ReplyMessage for Results<'_> {
    fn write(&self, message: &mut ReplyWriter) {
        for ItemResult { key, error } in &self.0 {
            const STATUS: usize = 2;
            let error_text = error.as_deref().unwrap_or_default();
            let len = field_len(key.len()) + STATUS + field_len(error_text.len());
            message.begin_message(1, len);
            message.text(1, key);
            let status = if error.is_none() { CacheStatus::Ok } else { CacheStatus::Error };
            message.number(2, status as u64);
            message.text(3, error_text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::written, *};
    use std::{future::poll_fn, pin::pin, time::Duration};
    use tiny_cache_proto::cache::{CacheOperationResult, MultiCacheResponse};

    fn each<T: Copy>(group: &[T], results: &mut Vec<T>) {
        results.extend(group);
    }

    #[tokio::test]
    async fn a_batch_stops_at_the_deadline_of_its_call() {
        let items: Vec<u32> = (0..1000).collect();
        let passed = Instant::now();
        let mut done = 0;
        let stopped = until(Some(passed), &items, |group, results| {
            done += group.len();
            each(group, results);
        });
        assert_eq!((stopped.await, done), (Err(Rejection::DeadlineExceeded), GROUP));

        for deadline in [None, Some(passed + Duration::from_secs(600))] {
            assert_eq!(until(deadline, &items, each).await.as_ref(), Ok(&items));
        }
    }

    #[tokio::test]
    async fn a_batch_lets_others_go_first_between_groups_and_not_within() {
        for (items, turns) in [(1, 1), (GROUP, 1), (GROUP + 1, 2), (10 * GROUP, 10)] {
            let items = vec![(); items];
            let mut batch = pin!(until(None, &items, each));
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                batch.as_mut().poll(cx)
            })
            .await
            .unwrap();
            assert_eq!(polls, turns, "{} items", items.len());
        }
    }

    #[test]
    fn a_reply_is_the_contracts_message() {
        let results = [("a", None), ("", Some("Key cannot be empty"))];
        let items = results.map(|(key, error)| CacheOperationResult {
            key: key.to_owned(),
            status: if error.is_none() { CacheStatus::Ok } else { CacheStatus::Error }.into(),
            error: error.unwrap_or_default().to_owned(),
        });
        let results =
            results.map(|(key, error)| ItemResult { key, error: error.map(str::to_owned) });
        let reply: MultiCacheResponse = written(&Results(results.into()));
        assert_eq!(reply, MultiCacheResponse { items: items.into() });
    }
}
