//! Fills the cache before a run and empties it after. Each thread does its part of the keys,
//! with several calls under way on each of its connections.

use std::cell::{Cell, RefCell};

use tokio::task;

use super::{control::Control, lane::Bench};
use crate::{
    lanes::LaneId,
    workload::{Call, Workload, WorkloadSpec},
};

/// Calls under way on each connection.
const UNDER_WAY: usize = 16;

/// Keys that are removed by one call.
const REMOVED_AT_ONCE: usize = 500;

/// Writes a thread's part of the keys, each once, until `control` stops it.
pub(super) async fn fill(
    bench: &Bench,
    spec: &WorkloadSpec,
    id: LaneId,
    control: &Control,
) -> Result<(), String> {
    let workload = Workload::new(spec.clone(), id);
    let next = Cell::new(id.index as u64);
    let rng = RefCell::new(id.rng(spec.seed.rotate_left(32)));
    on_every_connection(bench, async |connection, failed| {
        while !control.is_stopping() && failed.borrow().is_none() {
            let number = next.get();
            if number >= workload.spec.keys {
                break;
            }
            next.set(number + id.of as u64);
            for space in 0..workload.spec.spaces {
                let write = workload.fill(number, &mut rng.borrow_mut());
                if let Err(why) = bench.prefill(connection, space, &write).await {
                    failed.borrow_mut().get_or_insert(why);
                }
            }
            task::consume_budget().await;
        }
    })
    .await
}

/// Removes a thread's part of the keys that the run may have written, each a keyspace and a
/// number, until `control` stops it.
pub(super) async fn empty(
    bench: &Bench,
    spec: &WorkloadSpec,
    keys: impl Iterator<Item = (usize, u64)>,
    control: &Control,
) -> Result<(), String> {
    let keys = RefCell::new(keys.peekable());
    on_every_connection(bench, async |connection, failed| {
        while !control.is_stopping() && failed.borrow().is_none() {
            let batch = || {
                let mut keys = keys.borrow_mut();
                let (space, _) = *keys.peek()?;
                let numbers = std::iter::from_fn(|| keys.next_if(|(of, _)| *of == space));
                let counts = spec.mix.has(Call::Incr);
                let batch = numbers.take(REMOVED_AT_ONCE).flat_map(|(_, number)| {
                    let counter = counts.then(|| spec.counter(number));
                    std::iter::once(spec.key(number)).chain(counter)
                });
                Some((space, batch.collect::<Vec<_>>()))
            };
            let Some((space, batch)) = batch() else { break };
            if let Err(why) = bench.remove(connection, space, &batch).await {
                failed.borrow_mut().get_or_insert(why);
            }
        }
    })
    .await
}

/// Runs the same loop several times for each connection; the first failure is returned.
async fn on_every_connection(
    bench: &Bench,
    work: impl AsyncFn(usize, &RefCell<Option<String>>),
) -> Result<(), String> {
    let failed = RefCell::new(None);
    let connections = bench.connections.len();
    let all = (0..connections * UNDER_WAY).map(|index| work(index % connections, &failed));
    futures::future::join_all(all).await;
    failed.take().map_or(Ok(()), Err)
}
