//! Invalidations: tags and namespaces all of whose entries became unreadable at once.
//!
//! An invalidation is a record: a name, and a number. A stripe takes note of the numbers that there
//! are when a call holds it, before the call looks at any entry: what the stripe has then is from
//! before them, and what is written later is not ([`Noted`]). So an invalidation takes place for a
//! stripe at one instant, between two calls, and an entry that has the name and is from before is gone
//! for every later call. To tell the two apart by the clock would not do: a write that decided by an
//! entry from before could have a later stamp than the invalidation.
//!
//! The upkeep takes out what is gone. Until it has been through a stripe, whoever meets an entry there
//! from before the last number looks at the records; afterwards nobody does.
//!
//! Records stay as long as the longest lease, so that a lease from before one writes nothing.

use std::{collections::HashMap, time::Duration};

use ahash::RandomState;
use thiserror::Error;

use crate::sync::{AtomicU64, Ordering, PoisonError, RwLock};

use super::{
    clock::{Clock, Moment},
    entry::Entry,
    tags::Tags,
    version::Stamp,
};

/// Most records, some megabytes. When there are more, those that nothing in the store needs any more
/// are forgotten, and with them the leases from before them end.
pub const MOST: usize = 1 << 16;

/// How long a record stays: no lease lasts longer.
const KEPT: Duration = Duration::from_secs(61);

/// The records of a store.
#[derive(Debug, Default)]
pub(super) struct Invalidations {
    /// The number of the latest record; the first is 1.
    latest: AtomicU64,
    records: RwLock<Records>,
}

/// What a stripe knows of invalidations.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// The latest number that it took note of.
    latest: u64,
    /// The upkeep has been through it for this one.
    swept: u64,
    /// Those that it took note of since, each with the first stamp of a write after that.
    after: Vec<(u64, Stamp)>,
}

#[derive(Debug, Default)]
struct Records {
    namespaces: HashMap<Box<str>, InNamespace, RandomState>,
    /// How many numbers there are.
    count: usize,
    /// The upkeep has been through the store for all up to this one.
    done: u64,
    /// All up to this one may have been forgotten.
    forgotten: u64,
}

#[derive(Debug, Default)]
struct InNamespace {
    whole: Numbers,
    tags: HashMap<Box<str>, Numbers, RandomState>,
}

/// The numbers under which one name was invalidated, in their order: all that the upkeep has not been
/// through the store for, and the last one.
#[derive(Debug, Default)]
struct Numbers {
    each: Vec<u64>,
    /// When the last one was given.
    at: Option<Moment>,
}

/// What becomes unreadable.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// Every entry of the namespace.
    Namespace,
    /// Its entries with any of these tags.
    Tags(&'a [&'a str]),
}

/// There are too many records that the upkeep has not been through for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{MOST} tags were invalidated faster than their entries are removed: try again in a second, or \
     invalidate the namespace"
)]
pub struct TooManyInvalidations;

impl Noted {
    /// The latest number that it took note of.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// Whether it may have entries that are gone and not removed yet.
    pub(super) fn is_unswept(&self) -> bool {
        self.swept < self.latest
    }

    /// The number of the last invalidation before something was written.
    fn before(&self, written: Stamp) -> u64 {
        let known = self.after.iter().rev().find(|(_, first)| *first <= written);
        known.map_or(self.swept, |(number, _)| *number)
    }

    /// The upkeep has taken out what was gone by this number.
    pub(super) fn swept(&mut self, up_to: u64) {
        self.swept = up_to;
        self.after.retain(|(number, _)| *number > up_to);
        self.after.shrink_to_fit();
    }
}

impl Invalidations {
    /// Makes entries of a namespace unreadable that were written before. All at once, or none.
    pub(super) fn record(
        &self,
        clock: &Clock,
        namespace: &str,
        scope: Scope<'_>,
    ) -> Result<(), TooManyInvalidations> {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        let adds = match scope {
            Scope::Namespace => 1,
            Scope::Tags(names) => names.len(),
        };
        if records.count + adds > MOST {
            let done = records.done;
            records.forget(done);
            if records.count + adds > MOST {
                return Err(TooManyInvalidations);
            }
        }
        let number = self.latest() + 1;
        records.add(namespace, scope, (number, clock.now()));
        self.latest.store(number, Ordering::Release);
        Ok(())
    }

    /// The latest number.
    pub(super) fn latest(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    /// Has a stripe take note of all numbers that there are: the first thing that a call does with
    /// it. Its next write has the stamp `next` or a later one.
    pub(super) fn note(&self, noted: &mut Noted, next: impl FnOnce() -> Stamp) {
        let latest = self.latest();
        if latest != noted.latest {
            noted.latest = latest;
            noted.after.push((latest, next()));
        }
    }

    /// Whether an entry was invalidated, of a stripe that took note.
    pub(super) fn has(&self, noted: &Noted, entry: &Entry) -> bool {
        noted.is_unswept() && self.look_for(noted, entry)
    }

    #[cold]
    fn look_for(&self, noted: &Noted, entry: &Entry) -> bool {
        let since = (noted.before(entry.written()), noted.latest);
        let records = || self.records.read().unwrap_or_else(PoisonError::into_inner);
        since.0 < since.1 && records().invalidate(since, entry.namespace(), || entry.tags())
    }

    /// Whether what a lease is to write was invalidated since it was given.
    pub(super) fn outdate(&self, given: u64, namespace: &str, tags: Tags<'_>) -> bool {
        let latest = self.latest();
        if given == latest {
            return false;
        }
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        given < records.forgotten || records.invalidate((given, latest), namespace, || tags)
    }

    /// The latest number, if the upkeep has not been through the store for it.
    pub(super) fn pending(&self) -> Option<u64> {
        let latest = self.latest();
        let done = self.records.read().unwrap_or_else(PoisonError::into_inner).done;
        (done < latest).then_some(latest)
    }

    /// Notes that nothing from before this number is in the store any more.
    pub(super) fn done(&self, up_to: u64) {
        self.records.write().unwrap_or_else(PoisonError::into_inner).done = up_to;
    }

    /// Forgets records that no lease can be from before.
    pub(super) fn forget(&self, now: Moment) {
        let is_empty =
            self.records.read().unwrap_or_else(PoisonError::into_inner).namespaces.is_empty();
        if !is_empty {
            let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
            records.retain(|numbers| numbers.at.is_some_and(|at| now.since(at) < KEPT));
        }
    }
}

impl Records {
    fn add(&mut self, namespace: &str, scope: Scope<'_>, mark: (u64, Moment)) {
        let within = match self.namespaces.get_mut(namespace) {
            Some(within) => within,
            None => self.namespaces.entry(namespace.into()).or_default(),
        };
        match scope {
            Scope::Namespace => within.whole.add(mark),
            Scope::Tags(names) => {
                for &name in names {
                    match within.tags.get_mut(name) {
                        Some(numbers) => numbers.add(mark),
                        None => within.tags.entry(name.into()).or_default().add(mark),
                    }
                }
            }
        }
        self.count += match scope {
            Scope::Namespace => 1,
            Scope::Tags(names) => names.len(),
        };
    }

    /// Whether one of these names was invalidated after the one number, and up to the other.
    fn invalidate<'a>(
        &self,
        between: (u64, u64),
        namespace: &str,
        tags: impl FnOnce() -> Tags<'a>,
    ) -> bool {
        let Some(InNamespace { whole, tags: invalidated }) = self.namespaces.get(namespace) else {
            return false;
        };
        whole.have_any(between)
            || !invalidated.is_empty()
                && tags().iter().any(|name| {
                    invalidated.get(name).is_some_and(|numbers| numbers.have_any(between))
                })
    }

    /// Forgets all up to this one, though leases may be from before them.
    fn forget(&mut self, up_to: u64) {
        self.forgotten = self.forgotten.max(up_to);
        self.retain(|_| false);
    }

    /// Forgets what the upkeep has been through the store for, but for the last number of the names
    /// that are to stay.
    fn retain(&mut self, stays: impl Fn(&Numbers) -> bool) {
        let done = self.done;
        let retain = |numbers: &mut Numbers| {
            let open = numbers.each.partition_point(|number| *number <= done);
            let keeps_last = open == numbers.each.len() && stays(numbers);
            numbers.each.drain(..open.saturating_sub(usize::from(keeps_last)));
        };
        self.namespaces.retain(|_, InNamespace { whole, tags }| {
            retain(whole);
            tags.retain(|_, numbers| {
                retain(numbers);
                !numbers.each.is_empty()
            });
            !whole.each.is_empty() || !tags.is_empty()
        });
        self.count = self.namespaces.values().map(InNamespace::count).sum();
    }
}

impl InNamespace {
    fn count(&self) -> usize {
        self.whole.each.len() + self.tags.values().map(|numbers| numbers.each.len()).sum::<usize>()
    }
}

impl Numbers {
    fn add(&mut self, (number, at): (u64, Moment)) {
        // One call may name a tag twice.
        if self.each.last() != Some(&number) {
            self.each.push(number);
        }
        self.at = Some(at);
    }

    fn have_any(&self, (after, up_to): (u64, u64)) -> bool {
        let next = self.each.partition_point(|number| *number <= after);
        self.each.get(next).is_some_and(|number| *number <= up_to)
    }
}

#[cfg(test)]
impl Invalidations {
    pub(super) fn count(&self) -> usize {
        self.records.read().unwrap_or_else(PoisonError::into_inner).count
    }
}
