//! What hit ratio other memory would give.
//!
//! Workers note what is done to sampled keys ([`sampling`]). In the background four miniatures of the
//! store do the same in half, once, twice and four times the memory ([`miniature`]), each scaled down as
//! the keys are. Curves of reuse distances would do for the least recently used, but the window, its ghost and
//! TinyLFU do not follow from them.

mod admission; // TinyLFU's
mod estimate; // from the simulations to all keys
mod event; // what is noted
mod frequency; // TinyLFU's sketch
mod miniature; // one simulation
mod minutes; // over which it is counted
mod order; // the entries of a simulation
mod report; // what is told
mod room; // what a simulation may hold
mod sampling; // which keys

pub use self::report::{WhatIfReport, WhatIfSize};
pub(super) use self::{
    event::{Event, Footprint, What},
    room::Plan,
};

use crate::sync::{Mutex, MutexGuard, PoisonError};

use self::{
    estimate::{Batch, Estimator},
    sampling::Sampler,
};
use super::clock::Moment;

/// The sampled keys of a store, and the simulations of them.
#[derive(Debug)]
pub(super) struct WhatIf {
    sampler: Sampler,
    /// Only upkeep takes it.
    estimator: Mutex<Estimator>,
    /// What the last batch left, so that nobody who asks waits for a simulation.
    report: Mutex<WhatIfReport>,
}

impl WhatIf {
    pub(super) fn new(plan: Plan, now: Moment) -> Self {
        let estimator = Estimator::new(plan, now);
        let report = Mutex::new(estimator.report(now));
        Self { sampler: Sampler::new(), estimator: Mutex::new(estimator), report }
    }

    /// Whether what is done to this key is to be noted.
    pub(super) fn samples(&self, hash: u64) -> bool {
        self.sampler.samples(hash)
    }

    pub(super) fn note(&self, event: Event) {
        self.sampler.note(event);
    }

    /// Simulates what was noted since the last time. `reads` are the hits and misses of all keys.
    pub(super) fn absorb(&self, reads: (u64, u64), now: Moment) {
        let (events, lost) = self.sampler.take();
        let mut estimator = locked(&self.estimator);
        estimator.absorb(Batch { events, lost, reads }, now);
        self.sampler.set_scale(estimator.scale());
        *locked(&self.report) = estimator.report(now);
    }

    pub(super) fn report(&self) -> WhatIfReport {
        locked(&self.report).clone()
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
