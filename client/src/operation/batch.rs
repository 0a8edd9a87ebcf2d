//! Sends a batch in parts that the server accepts, and returns the results in the items' order.

use std::sync::Arc;

use futures::{
    future::{BoxFuture, join_all},
    stream::{self, StreamExt, TryStreamExt},
};
use tiny_cache_proto::cache::{CacheOperationResult, CacheResponse, CacheStatus};

use super::{Call, Error, ErrorKind, Result, Run};
use crate::servers::{Member, RingServers, Servers};

/// Bytes of keys and values in one part. Every server accepts messages of 4 MiB.
const PART_BYTES: usize = 1 << 20;

/// Most bytes of an item's message beside its key and value.
const ITEM_OVERHEAD: usize = 24;

/// Parts of one batch that are under way at once, to each server, unless it says otherwise.
const PARTS_UNDER_WAY: usize = 4;

/// How often a batch looks for the servers of its items: once, and again for items whose server
/// turned out to be down.
const ROUNDS: usize = 3;

/// The results of a batch: one for each item, in the items' order.
pub(super) type Results<T> = Result<Vec<Result<T>>>;

/// A batch. Its items are named by their places in it.
pub trait Batch: Sync {
    type Outcome: Send;

    /// Parts that may be under way at once, to each server.
    const AT_ONCE: usize = PARTS_UNDER_WAY;

    /// The keys of all items.
    fn keys(&self) -> impl Iterator<Item = &str>;

    /// Refuses an item, beyond what is wrong with its key.
    fn check(&self, _place: usize) -> Result<()> {
        Ok(())
    }

    /// Whether a repetition leads to the same outcome.
    fn is_idempotent(&self) -> bool {
        true
    }

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

/// Sends a batch, in parts if it is large or has several servers.
pub(super) async fn run<B: Batch>(call: &Call<'_>, batch: &B) -> Results<B::Outcome> {
    let (mut valid, mut invalid) = (Vec::new(), Vec::new());
    for (place, key) in batch.keys().enumerate() {
        match call.check_key(key).and_then(|_| batch.check(place)) {
            Ok(()) => valid.push(place),
            Err(error) => invalid.push((place, error)),
        }
    }
    let mut results = match &call.core.servers {
        Servers::One(_) => to_one(call, batch, &valid).await?,
        Servers::Ring(ring) => to_several(call, ring, batch, valid).await?,
    };
    // Ascending, so that each error is inserted at its final place.
    for (place, error) in invalid {
        results.insert(place, Err(error));
    }
    Ok(results)
}

/// Sends the items at these places to the only server. A part that fails fails the batch.
async fn to_one<B: Batch>(call: &Call<'_>, batch: &B, places: &[usize]) -> Results<B::Outcome> {
    let parts = parts(call, batch, places);
    let several = parts.len() > 1;
    let sent: Vec<_> = stream::iter(parts)
        .map(|part| send(call, batch, part))
        .buffered(B::AT_ONCE)
        .try_collect()
        .await
        .map_err(|error: Error| error.perhaps_applied(several))?;
    Ok(sent.into_iter().flatten().collect())
}

/// Sends the items at these places to their servers, to all of them at once. A part that fails
/// fails its own items, or goes to the next servers on the ring if its server is down.
async fn to_several<B: Batch>(
    call: &Call<'_>,
    ring: &RingServers,
    batch: &B,
    places: Vec<usize>,
) -> Results<B::Outcome> {
    let keys: Vec<_> = batch.keys().collect();
    let mut results: Vec<Option<Result<B::Outcome>>> = keys.iter().map(|_| None).collect();
    let mut open = places;
    for round in 1..=ROUNDS {
        let servers = call.servers_of(ring, open.iter().map(|place| keys[*place])).await?;
        let shares = by_server(&open, servers);
        let sent = shares.into_iter().map(|(server, places)| share(call, batch, server, places));
        open = Vec::new();
        for Sent { server, part, outcome } in join_all(sent).await.into_iter().flatten() {
            match outcome {
                Ok(outcomes) => {
                    for (place, outcome) in part.into_iter().zip(outcomes) {
                        results[place] = Some(outcome);
                    }
                }
                Err(error) => {
                    for place in &part {
                        results[*place] = Some(Err(error.clone()));
                    }
                    let is_safe = batch.is_idempotent() || !error.may_have_been_applied();
                    if round < ROUNDS && is_safe && ring.gives_up(&server) {
                        open.extend(part);
                    }
                }
            }
        }
        if open.is_empty() {
            break;
        }
        open.sort_unstable();
    }
    Ok(results.into_iter().flatten().collect())
}

/// The places of each server's items, in ascending order.
fn by_server(places: &[usize], servers: Vec<Arc<Member>>) -> Vec<(Arc<Member>, Vec<usize>)> {
    let mut shares: Vec<(Arc<Member>, Vec<usize>)> = Vec::new();
    for (place, server) in places.iter().zip(servers) {
        match shares.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &server)) {
            Some((_, share)) => share.push(*place),
            None => shares.push((server, vec![*place])),
        }
    }
    shares
}

/// A part that was sent to a server of a ring.
struct Sent<T> {
    server: Arc<Member>,
    part: Vec<usize>,
    outcome: Results<T>,
}

/// Sends a server its share of a batch.
async fn share<B: Batch>(
    call: &Call<'_>,
    batch: &B,
    server: Arc<Member>,
    places: Vec<usize>,
) -> Vec<Sent<B::Outcome>> {
    let call = call.to(&server);
    stream::iter(parts(&call, batch, &places))
        .map(|part| {
            let outcome = send(&call, batch, part.clone());
            let server = server.clone();
            async move { Sent { server, part, outcome: outcome.await } }
        })
        .buffered(B::AT_ONCE)
        .collect()
        .await
}

/// Divides items by number and size.
fn parts<B: Batch>(call: &Call<'_>, batch: &B, places: &[usize]) -> Vec<Vec<usize>> {
    let keys: Vec<_> = batch.keys().collect();
    let mut parts = Parts::new(call.core.batch_items());
    for &place in places {
        parts.push(place, keys[place].len() + batch.value_len(place) + ITEM_OVERHEAD);
    }
    parts.parts
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
            (ErrorKind::InvalidArgument | ErrorKind::ResourceExhausted, 2..)
                if !error.is_of_rate()
                    && (batch.is_idempotent() || !error.may_have_been_applied()) => {}
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
