//! What the callers of a connection hold, and lose with it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::sync::{Mutex, PoisonError};

/// Things that are given back when the connection ends. Each is forgotten after a time, when it has
/// ended by itself.
#[derive(Default)]
pub(crate) struct Holdings(Mutex<Vec<Held>>);

struct Held {
    until: Instant,
    give_back: Box<dyn FnOnce() + Send>,
}

impl Holdings {
    /// Has something given back if the connection ends within this time.
    pub(crate) fn add(&self, lasts: Duration, give_back: impl FnOnce() + Send + 'static) {
        let now = Instant::now();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() == held.capacity() {
            held.retain(|held| held.until > now);
        }
        held.push(Held { until: now + lasts, give_back: Box::new(give_back) });
    }
}

impl Drop for Holdings {
    fn drop(&mut self) {
        let held = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
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
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    #[test]
    fn what_is_held_is_given_back_with_the_connection_and_forgotten_after_its_time() {
        let count = Arc::new(AtomicUsize::new(0));
        let holdings = Holdings::default();
        let add = |lasts| {
            let count = count.clone();
            holdings.add(lasts, move || {
                count.fetch_add(1, Ordering::Relaxed);
            });
        };
        (0..1000).for_each(|_| add(Duration::ZERO));
        add(Duration::from_secs(60));
        assert!(holdings.0.lock().unwrap().capacity() <= 16);
        drop(holdings);
        assert!((1..=16).contains(&count.load(Ordering::Relaxed)));
    }
}
