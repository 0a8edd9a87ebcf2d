//! What the three batches share. A batch of more than the server takes is sent in parts, and
//! what comes back is put together in the order that was asked.

use std::time::Duration;

use futures::{
    future::BoxFuture,
    stream::{self, StreamExt, TryStreamExt},
};
use tiny_cache_proto::cache::{CacheOperationResult, CacheStatus};

use crate::{
    call::Call,
    client::Core,
    error::{Error, ErrorKind, Result},
    ttl::Ttl,
};

/// Bytes of keys and values in one part. Every server takes messages of 4 MiB.
const PART_BYTES: usize = 1 << 20;

/// Bytes that an item takes beside its key and value, at most.
const ITEM_OVERHEAD: usize = 24;

/// Parts of one batch that are under way at a time.
const PARTS_UNDER_WAY: usize = 4;

/// The results of a batch, one for each item and in the items' order.
pub(super) type Results<T> = Result<Vec<Result<T>>>;

/// A batch, as the parts of it see it: items are named by their places.
pub(super) trait Batch: Sync {
    type Outcome: Send;

    /// The keys of all items.
    fn keys(&self) -> impl Iterator<Item = &str>;

    /// The bytes that an item sends beside its key.
    fn value_len(&self, place: usize) -> usize;

    /// Sends the items at these places, at least one, and gives as many results.
    fn send(
        &self,
        call: &Call<'_>,
        places: &[usize],
    ) -> impl Future<Output = Results<Self::Outcome>> + Send;
}

/// Sends a batch, in parts if need be.
pub(super) async fn run<B: Batch>(call: &Call<'_>, batch: &B) -> Results<B::Outcome> {
    let mut parts = Parts::new(call.core().batch_items());
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

/// Sends a part; in halves where the server says that it is too large.
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
            // One value that does not fit is the matter of that item alone.
            (ErrorKind::ResourceExhausted, 1) => return Ok(vec![Err(error)]),
            (ErrorKind::InvalidArgument | ErrorKind::ResourceExhausted, 2..) => {}
            _ => return Err(error),
        }
        let half = part.len() / 2;
        let rest = part.split_off(half);
        let mut results = send(call, batch, part).await?;
        // It was the number, then, and nothing else that is wrong with the call.
        if error.kind() == ErrorKind::InvalidArgument {
            call.core().learn_batch_items(half);
        }
        let rest = send(call, batch, rest).await;
        results.extend(rest.map_err(|error| error.perhaps_applied(true))?);
        Ok(results)
    })
}

/// The places of a batch's items, divided by number and size.
struct Parts {
    parts: Vec<Vec<usize>>,
    /// Of the last part.
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

/// Refuses a reply that has not as many items as were asked for.
pub(super) fn complete(answered: usize, asked: usize) -> Result<()> {
    if answered == asked {
        return Ok(());
    }
    Err(Error::bad_reply(format_args!("{answered} items for the {asked} that were asked for")))
}

/// What a server says of one item. Its key was checked before, so what is left is room.
pub(super) fn item_error(text: String) -> Error {
    Error::new(ErrorKind::ResourceExhausted, text)
}

/// The ttl that was asked for, or the client's.
pub(super) fn ttl_or(ttl: Option<Duration>, core: &Core) -> Result<Ttl> {
    ttl.map_or(Ok(core.ttl), Ttl::try_from)
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
