//! Sends a batch in parts that the server accepts, and returns the results in the items' order.

use futures::{
    future::BoxFuture,
    stream::{self, StreamExt, TryStreamExt},
};
use tiny_cache_proto::cache::{CacheOperationResult, CacheResponse, CacheStatus};

use super::{Call, Error, ErrorKind, Result, Run};

/// Bytes of keys and values in one part. Every server accepts messages of 4 MiB.
const PART_BYTES: usize = 1 << 20;

/// Most bytes of an item's message beside its key and value.
const ITEM_OVERHEAD: usize = 24;

/// Parts of one batch that are under way at once.
const PARTS_UNDER_WAY: usize = 4;

/// The results of a batch: one for each item, in the items' order.
pub(super) type Results<T> = Result<Vec<Result<T>>>;

/// A batch. Its items are named by their places in it.
pub trait Batch: Sync {
    type Outcome: Send;

    /// The keys of all items.
    fn keys(&self) -> impl Iterator<Item = &str>;

    /// The bytes of an item's value.
    fn value_len(&self, _place: usize) -> usize {
        0
    }

    /// Sends the items at these places, at least one, and returns a result for each.
    fn send(
        &self,
        call: &Call<'_>,
        places: &[usize],
    ) -> impl Future<Output = Results<Self::Outcome>> + Send;
}

impl<B: Batch + Send> Run for B {
    type Output = Results<B::Outcome>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        run(&call?, &self).await
    }
}

/// Sends a batch, in parts if it is large.
pub(super) async fn run<B: Batch>(call: &Call<'_>, batch: &B) -> Results<B::Outcome> {
    let mut parts = Parts::new(call.core.batch_items());
    let mut invalid = Vec::new();
    for (place, key) in batch.keys().enumerate() {
        match call.check_key(key) {
            Ok(()) => parts.push(place, key.len() + batch.value_len(place) + ITEM_OVERHEAD),
            Err(error) => invalid.push((place, error)),
        }
    }
    let several = parts.parts.len() > 1;
    let sent: Vec<_> = stream::iter(parts.parts)
        .map(|part| send(call, batch, part))
        .buffered(PARTS_UNDER_WAY)
        .try_collect()
        .await
        .map_err(|error: Error| error.perhaps_applied(several))?;

    let mut results: Vec<_> = sent.into_iter().flatten().collect();
    // Ascending, so that each error is inserted at its final place.
    for (place, error) in invalid {
        results.insert(place, Err(error));
    }
    Ok(results)
}

/// Sends a part, and its halves if the server refuses it as too large.
fn send<'a, B: Batch>(
    call: &'a Call<'_>,
    batch: &'a B,
    mut part: Vec<usize>,
) -> BoxFuture<'a, Results<B::Outcome>> {
    Box::pin(async move {
        let error = match batch.send(call, &part).await {
            Ok(results) => return Ok(results),
            Err(error) => error,
        };
        match (error.kind(), part.len()) {
            // A single value that does not fit fails its own item, not the batch.
            (ErrorKind::ResourceExhausted, 1) => return Ok(vec![Err(error)]),
            (ErrorKind::InvalidArgument | ErrorKind::ResourceExhausted, 2..) => {}
            _ => return Err(error),
        }
        let half = part.len() / 2;
        let rest = part.split_off(half);
        let mut results = send(call, batch, part).await?;
        // Half of it was accepted, so the number of items was the reason.
        if error.kind() == ErrorKind::InvalidArgument {
            call.core.learn_batch_items(half);
        }
        let rest = send(call, batch, rest).await;
        results.extend(rest.map_err(|error| error.perhaps_applied(true))?);
        Ok(results)
    })
}

/// The places of a batch's items, divided by number and size.
struct Parts {
    parts: Vec<Vec<usize>>,
    /// Bytes of the last part.
    bytes: usize,
    max_items: usize,
}

impl Parts {
    fn new(max_items: usize) -> Self {
        Self { parts: Vec::new(), bytes: 0, max_items }
    }

    fn push(&mut self, place: usize, bytes: usize) {
        match self.parts.last_mut() {
            Some(part) if part.len() < self.max_items && self.bytes + bytes <= PART_BYTES => {
                part.push(place);
                self.bytes += bytes;
            }
            _ => {
                self.parts.push(vec![place]);
                self.bytes = bytes;
            }
        }
    }
}

/// The results of a part that was written or deleted.
pub(super) fn results(items: Vec<CacheOperationResult>, asked: usize) -> Results<()> {
    complete(items.len(), asked)?;
    let result = |item: CacheOperationResult| match item.status() {
        CacheStatus::Ok => Ok(()),
        CacheStatus::Unspecified | CacheStatus::Error => Err(item_error(item.error)),
    };
    Ok(items.into_iter().map(result).collect())
}

/// The result of a single write or delete.
pub(super) fn result(reply: CacheResponse) -> Result<()> {
    match reply.status() {
        CacheStatus::Ok => Ok(()),
        CacheStatus::Unspecified | CacheStatus::Error => Err(Error::unknown_status(reply.status)),
    }
}

/// Refuses a reply whose number of items is not that of the request.
pub(super) fn complete(answered: usize, asked: usize) -> Result<()> {
    if answered == asked {
        return Ok(());
    }
    Err(Error::bad_reply(format_args!("{answered} items for {asked} requested")))
}

/// The server's error for one item. Its key was checked before, so the server had no room.
pub(super) fn item_error(text: String) -> Error {
    Error::new(ErrorKind::ResourceExhausted, text)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn parts_have_every_item_once_in_order_and_within_the_limits(
            sizes in vec(0usize..PART_BYTES / 3, 0..40), max_items in 1usize..8
        ) {
            let mut parts = Parts::new(max_items);
            for (place, bytes) in sizes.iter().enumerate() {
                parts.push(place, *bytes);
            }
            for part in &parts.parts {
                prop_assert!((1..=max_items).contains(&part.len()));
                prop_assert!(part.iter().map(|place| sizes[*place]).sum::<usize>() <= PART_BYTES);
            }
            let places: Vec<_> = parts.parts.concat();
            prop_assert_eq!(places, (0..sizes.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_item_beyond_the_size_of_a_part_is_one_of_its_own() {
        let mut parts = Parts::new(10);
        for (place, bytes) in [1, PART_BYTES + 1, 1].into_iter().enumerate() {
            parts.push(place, bytes);
        }
        assert_eq!(parts.parts, [[0], [1], [2]]);
    }
}
