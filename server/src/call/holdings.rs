//! What the callers of a connection hold, and lose with it; and what a reply hands to one of them,
//! which is given back when the reply is not sent.

use std::{
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::sync::{Mutex, PoisonError};

/// Things that are given back when the connection ends. Each is forgotten after a time, when it has
/// ended by itself.
#[derive(Default)]
pub(crate) struct Holdings(Mutex<Vec<Held>>);

struct Held {
    until: Instant,
    give_back: GiveBack,
}

/// Gives something back that its caller may have given back before.
type GiveBack = Arc<dyn Fn() + Send + Sync>;

/// What one call hands to its caller, who holds it with the connection.
#[derive(Debug)]
pub(crate) struct Hands {
    connection: Arc<Holdings>,
    handed: Mutex<Handed>,
}

/// What a reply hands to its caller. Dropped before the reply is sent, it is given back: a caller
/// that went while the reply was made never hears of it.
#[derive(Default)]
pub(crate) struct Handed(Option<Box<GiveBacks>>);

/// Apart, since most calls hand over nothing.
#[derive(Default)]
struct GiveBacks(Vec<GiveBack>);

impl Hands {
    /// Of a call on a connection with these holdings.
    pub(crate) fn on(connection: Arc<Holdings>) -> Self {
        Self { connection, handed: Mutex::default() }
    }

    /// Has something given back if the connection ends within this time, or the reply is not sent.
    /// That it was given back before must do no harm.
    pub(crate) fn add(&self, lasts: Duration, give_back: impl Fn() + Send + Sync + 'static) {
        let give_back: GiveBack = Arc::new(give_back);
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        handed.0.get_or_insert_default().0.push(give_back.clone());
        self.connection.add(lasts, give_back);
    }

    /// Takes what was added.
    pub(crate) fn take(&self) -> Handed {
        mem::take(&mut *self.handed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Handed {
    /// The reply is sent.
    pub(crate) fn sent(&mut self) {
        if let Some(handed) = &mut self.0 {
            handed.0.clear();
        }
    }
}

impl Drop for GiveBacks {
    fn drop(&mut self) {
        self.0.iter().for_each(|give_back| give_back());
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
        let held = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for Held { give_back, .. } in held {
            give_back();
        }
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
}
