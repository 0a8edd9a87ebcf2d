//! What the callers of a connection hold, and lose with it; and what a call hands over: to its
//! caller, which is given back when the reply is not sent, and to its trace.

use std::{
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use super::trips::{Trip, Trips};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Things that are given back when the connection ends. Each is forgotten after a time, when it has
/// ended by itself.
#[derive(Default)]
pub(crate) struct Holdings(Mutex<Vec<Held>>);

/// What is given back in one go, which takes about a tenth of a millisecond. A connection may hold
/// hundreds of thousands of leases.
const IN_ONE_GO: usize = 128;

struct Held {
    until: Instant,
    give_back: GiveBack,
}

/// Gives something back that its caller may have given back before.
type GiveBack = Arc<dyn Fn() + Send + Sync>;

/// What one call hands over: to its caller, who holds it with the connection, and to its trace.
#[derive(Debug)]
pub(crate) struct Hands {
    connection: Arc<Holdings>,
    handed: Mutex<Handed>,
}

/// What a call handed over. What is for its caller is given back if this is dropped before the reply
/// is sent: a caller that went while the reply was made never hears of it.
#[derive(Default)]
pub(crate) struct Handed(Option<Box<Things>>);

/// Apart, since most calls hand over nothing.
#[derive(Default)]
struct Things {
    give_backs: Vec<GiveBack>,
    trips: Trips,
}

impl Hands {
    /// Of a call on a connection with these holdings.
    pub(crate) fn on(connection: Arc<Holdings>) -> Self {
        Self { connection, handed: Mutex::default() }
    }

    /// Has something given back if the connection ends within this time, or the reply is not sent.
    /// That it was given back before must do no harm.
    pub(crate) fn add(&self, lasts: Duration, give_back: impl Fn() + Send + Sync + 'static) {
        let give_back: GiveBack = Arc::new(give_back);
        self.handed().0.get_or_insert_default().give_backs.push(give_back.clone());
        self.connection.add(lasts, give_back);
    }

    /// Tells the call's trace of a trip.
    pub(crate) fn note(&self, trip: Trip) {
        self.handed().0.get_or_insert_default().trips.add(trip);
    }

    /// Takes what was added.
    pub(crate) fn take(&self) -> Handed {
        mem::take(&mut *self.handed())
    }

    fn handed(&self) -> MutexGuard<'_, Handed> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handed {
    /// The reply is sent.
    pub(crate) fn sent(&mut self) {
        if let Some(things) = &mut self.0 {
            things.give_backs.clear();
        }
    }

    /// Takes what is for the call's trace.
    pub(crate) fn take_trips(&mut self) -> Trips {
        self.0.as_mut().map(|things| mem::take(&mut things.trips)).unwrap_or_default()
    }
}

impl Drop for Things {
    fn drop(&mut self) {
        self.give_backs.iter().for_each(|give_back| give_back());
    }
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handed").field(&self.0.is_some()).finish()
    }
}

impl Holdings {
    fn add(&self, lasts: Duration, give_back: GiveBack) {
        let now = Instant::now();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() == held.capacity() {
            held.retain(|held| held.until > now);
        }
        held.push(Held { until: now + lasts, give_back });
    }
}

impl Drop for Holdings {
    fn drop(&mut self) {
        let mut held = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        give_back_some(&mut held);
        if held.is_empty() {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(give_back_all(held))),
            Err(_) => held.iter().for_each(|held| (held.give_back)()),
        }
    }
}

/// Gives back as much as is given back in one go.
fn give_back_some(held: &mut Vec<Held>) {
    let from = held.len().saturating_sub(IN_ONE_GO);
    for Held { give_back, .. } in held.drain(from..) {
        give_back();
    }
}

/// Gives all back, and lets the calls of other connections go first now and then.
async fn give_back_all(mut held: Vec<Held>) {
    while !held.is_empty() {
        tokio::task::yield_now().await;
        give_back_some(&mut held);
    }
}

impl fmt::Debug for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holdings").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_is_held_is_given_back_with_the_connection_and_forgotten_after_its_time() {
        let count = Arc::new(AtomicUsize::new(0));
        let holdings = Holdings::default();
        let add = |lasts| {
            let count = count.clone();
            let give_back = move || {
                count.fetch_add(1, Ordering::Relaxed);
            };
            holdings.add(lasts, Arc::new(give_back));
        };
        (0..1000).for_each(|_| add(Duration::ZERO));
        add(Duration::from_secs(60));
        assert!(holdings.0.lock().unwrap().capacity() <= 16);
        drop(holdings);
        assert!((1..=16).contains(&count.load(Ordering::Relaxed)));
    }

    /// A connection that held many, and ended, kept every other one of its worker waiting.
    #[tokio::test(flavor = "current_thread")]
    async fn others_go_on_while_much_is_given_back() {
        let all = 10 * IN_ONE_GO + 1;
        let count = Arc::new(AtomicUsize::new(0));
        let holdings = Holdings::default();
        for _ in 0..all {
            let count = count.clone();
            let give_back = move || {
                count.fetch_add(1, Ordering::Relaxed);
            };
            holdings.add(Duration::from_secs(60), Arc::new(give_back));
        }
        drop(holdings);
        let mut given_back = 0;
        while given_back < all {
            let before = given_back;
            tokio::task::yield_now().await;
            given_back = count.load(Ordering::Relaxed);
            assert!(given_back - before <= 2 * IN_ONE_GO, "{given_back} of {all}");
        }
    }
}
