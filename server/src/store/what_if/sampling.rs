//! Chooses the keys that are sampled, by their hashes: of a key either all or nothing is noted, as
//! reuse needs it (SHARDS: Waldspurger, Park, Garthwaite, Ahmad, "Efficient MRC construction with
//! SHARDS", USENIX FAST 2015).

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

use super::event::Event;

/// Events that wait at most.
const MOST: usize = 8 << 10;

/// Takes events of sampled keys from the workers.
#[derive(Debug)]
pub(super) struct Sampler {
    /// The highest hash, once mixed, that is sampled.
    highest: AtomicU64,
    events: Mutex<Vec<Event>>,
    lost: AtomicU64,
}

impl Sampler {
    /// Samples all keys.
    pub(super) fn new() -> Self {
        let highest = AtomicU64::new(highest(0));
        Self { highest, events: Mutex::default(), lost: AtomicU64::new(0) }
    }

    /// Whether a key is sampled.
    pub(super) fn samples(&self, hash: u64) -> bool {
        mixed(hash) <= self.highest.load(Ordering::Relaxed)
    }

    /// Samples one in so many keys from now on, as a power of two.
    pub(super) fn set_scale(&self, scale: u32) {
        self.highest.store(highest(scale), Ordering::Relaxed);
    }

    /// Puts an event down. Waits for nobody: where another is at it, or no place is left, the event
    /// is lost, and counted.
    pub(super) fn note(&self, event: Event) {
        match self.events.try_lock() {
            Ok(mut events) if events.len() < MOST => events.push(event),
            _ => _ = self.lost.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// What was put down since the last time, and how many were lost.
    pub(super) fn take(&self) -> (Vec<Event>, u64) {
        (std::mem::take(&mut *self.lock()), self.lost.swap(0, Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a key is one of so many, as a power of two. The keys of a higher scale are among those of
/// a lower one.
pub(super) fn is_sampled(hash: u64, scale: u32) -> bool {
    mixed(hash) <= highest(scale)
}

fn highest(scale: u32) -> u64 {
    u64::MAX >> scale
}

/// The bits of a hash choose places, also in the simulations. Mixed, they are of no use for that:
/// sampled keys still have all places.
fn mixed(hash: u64) -> u64 {
    hash.wrapping_mul(0xd6e8_feb8_6659_fd93)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::clock::Moment, event::What},
        *,
    };

    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn one_in_so_many_keys_is_sampled_and_of_those_some_at_a_higher_scale() {
        let sampled = |scale| (0..64_000).filter(move |n| is_sampled(hash(*n), scale)).count();
        assert_eq!(sampled(0), 64_000);
        assert!(sampled(4).abs_diff(4000) < 400 && sampled(8).abs_diff(250) < 100);
        assert!((0..64_000).all(|n| is_sampled(hash(n), 4) || !is_sampled(hash(n), 5)));
    }

    #[test]
    fn events_that_find_no_place_are_counted() {
        let sampler = Sampler::new();
        (0..MOST as u64 + 3).for_each(|n| {
            sampler.note(Event::new(n, Moment::at(0), What::Miss));
        });
        let (events, lost) = sampler.take();
        assert_eq!((events.len(), lost), (MOST, 3));
        assert_eq!(sampler.take().1, 0);
    }

    #[test]
    fn an_event_is_lost_rather_than_waited_for() {
        let sampler = Sampler::new();
        let held = sampler.lock();
        sampler.note(Event::new(1, Moment::at(0), What::Miss));
        drop(held);
        let (events, lost) = sampler.take();
        assert_eq!((events.len(), lost), (0, 1));
    }
}
