//! The places of the HTTP port's connections. A new connection always gets one: when all are
//! taken, the oldest connection is asked to end. A probe must not wait behind connections that
//! somebody keeps open.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long the oldest connection has to end before the next oldest is asked too. It may be
/// writing to a peer that does not read.
const PATIENCE: Duration = Duration::from_millis(20);

/// The places, in the order in which they were taken.
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    count: u64,
    wanted: BTreeMap<u64, CancellationToken>,
}

/// A place, held while a connection is open.
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    number: u64,
    wanted: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), taken: Arc::default() }
    }

    /// Takes a place, from the oldest connection if none is free.
    pub(super) async fn take(&self) -> Place {
        let permit = loop {
            if self.free.available_permits() == 0 {
                self.want_oldest();
            }
            let free = self.free.clone().acquire_owned();
            if let Ok(permit) = timeout(PATIENCE, free).await {
                break permit.expect("the semaphore is never closed");
            }
        };
        let wanted = CancellationToken::new();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.count += 1;
        let number = taken.count;
        taken.wanted.insert(number, wanted.clone());
        Place { taken: self.taken.clone(), number, wanted, _permit: permit }
    }

    fn want_oldest(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, oldest)) = taken.wanted.pop_first() {
            oldest.cancel();
        }
    }
}

impl Place {
    /// Returns when the place is wanted for another connection.
    pub(super) async fn is_wanted(&self) {
        self.wanted.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.wanted.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_connection_makes_room() {
        let places = Places::new(2);
        let (first, second) = (places.take().await, places.take().await);
        let third = tokio::spawn(async move {
            let place = places.take().await;
            (places, place)
        });
        first.is_wanted().await;
        drop(first);
        let (places, third) = third.await.unwrap();
        assert!(!second.wanted.is_cancelled());
        drop((second, third));
        assert!(places.taken.lock().unwrap().wanted.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_end_holds_nobody_up() {
        let places = Places::new(2);
        let (stuck, next) = (places.take().await, places.take().await);
        let taken = tokio::spawn(async move { drop(places.take().await) });
        next.is_wanted().await;
        assert!(stuck.wanted.is_cancelled());
        drop(next);
        taken.await.unwrap();
    }
}
