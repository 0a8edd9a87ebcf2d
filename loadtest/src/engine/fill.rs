//! Fills the cache before a run and empties it after. Each thread does its part of the keys,
//! with several calls under way on each of its connections.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use tokio::task;

use super::{
    control::Control,
    lane::{Bench, Unfilled},
};
use crate::{
    lanes::LaneId,
    workload::{Spec, Workload},
};

/// Calls under way on each connection.
const UNDER_WAY: usize = 16;

/// Keys that are removed by one call.
const REMOVED_AT_ONCE: usize = 500;

/// Writes a thread's part of the keys, each once, until `control` stops it.
pub(super) async fn fill(
    bench: &Rc<Bench>,
    spec: &Spec,
    id: LaneId,
    control: &Control,
) -> Result<(), Unfilled> {
    let workload = Workload::new(spec.clone(), id);
    let next = Cell::new(id.index as u64);
    let rng = RefCell::new(id.rng(spec.seed.rotate_left(32)));
    on_every_connection(bench, async |outlet, failed| {
        while !control.is_stopping() && failed.borrow().is_none() {
            let number = next.get();
            if number >= workload.keys() {
                break;
            }
            next.set(number + id.of as u64);
            for space in 0..workload.spaces() {
                let write = workload.fill(number, &mut rng.borrow_mut());
                if let Err(why) = bench.prefill(outlet, space, &write).await {
                    failed.borrow_mut().get_or_insert(why);
                }
            }
            task::consume_budget().await;
        }
    })
    .await
}

/// Removes a thread's part of the keys that the run may have written, until `control` stops
/// it.
pub(super) async fn empty(
    bench: &Rc<Bench>,
    spec: &Spec,
    id: LaneId,
    control: &Control,
) -> Result<(), Unfilled> {
    let Some(written) = &bench.written else { return Ok(()) };
    let keys = RefCell::new(written.part(id).peekable());
    on_every_connection(bench, async |outlet, failed| {
        while !control.is_stopping() && failed.borrow().is_none() {
            let batch = || {
                let mut keys = keys.borrow_mut();
                let (space, _) = *keys.peek()?;
                let numbers = std::iter::from_fn(|| keys.next_if(|(of, _)| *of == space));
                let batch = numbers.take(REMOVED_AT_ONCE).map(|(_, number)| spec.key(number));
                Some((space, batch.collect::<Vec<_>>()))
            };
            let Some((space, batch)) = batch() else { break };
            if let Err(why) = bench.remove(outlet, space, &batch).await {
                failed.borrow_mut().get_or_insert(why);
            }
        }
    })
    .await
}

/// Runs the same loop several times for each connection; the first failure is returned.
async fn on_every_connection(
    bench: &Rc<Bench>,
    work: impl AsyncFn(usize, &RefCell<Option<Unfilled>>),
) -> Result<(), Unfilled> {
    let failed = RefCell::new(None);
    let outlets = bench.outlets.len();
    let all = (0..outlets * UNDER_WAY).map(|index| work(index % outlets, &failed));
    futures::future::join_all(all).await;
    failed.take().map_or(Ok(()), Err)
}
