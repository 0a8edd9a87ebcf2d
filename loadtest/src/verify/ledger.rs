//! All keys that a process knows, for all its threads. A call locks one of many maps for as
//! long as it takes to look at one key.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use crossbeam::utils::CachePadded;
use serde::{Deserialize, Serialize};

use super::{
    history::{Checked, History},
    name::{Hashed, Name},
    nanos::Nanos,
    stamp::{MIN_SIZE, Stamp},
    violation::{Event, Kind, Reason, Violation, Witness},
};

/// Maps that are locked one by one: enough that threads seldom meet.
const SHARDS: usize = 256;

/// What became of a write or a delete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The server said that it is done.
    Done,
    /// The server said that it is not, and will not be: a condition that did not hold.
    NotDone,
    /// It may be done already, later, or never: a timeout, a broken connection.
    Unknown,
}

/// A read that is as it may be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// A value of this run.
    Hit,
    /// No value.
    Miss,
    /// A value that was there before this run.
    Foreign,
    /// A value of this run and key, and whole; whether it is stale is not known.
    Unchecked,
}

/// How a read is judged.
pub type Verdict = Result<Seen, Box<Violation>>;

/// A write that begins.
#[derive(Debug)]
#[must_use = "tell the ledger what became of it"]
pub struct PendingWrite<'a> {
    name: Name<'a>,
    stamp: Stamp,
    value: Bytes,
    /// What a compare-and-set expects.
    expected: Option<Stamp>,
}

/// A delete that begins.
#[derive(Debug)]
#[must_use = "tell the ledger what became of it"]
pub struct PendingDelete<'a> {
    name: Name<'a>,
    began: Nanos,
}

/// A read that begins.
#[derive(Debug)]
#[must_use = "judge what it brings"]
pub struct PendingRead<'a> {
    name: Name<'a>,
    began: Nanos,
}

/// What a compare-and-set may expect.
#[derive(Debug)]
pub struct Expected<'a> {
    name: Name<'a>,
    stamp: Stamp,
    value: Bytes,
}

/// What a process knows of each key.
///
/// # Notes
///
/// It grows with the keys that are written or deleted, and never shrinks; a read of any other
/// key leaves nothing behind. A million keys written once took 355 bytes each, and 533 while
/// the versions before were kept for reads under way. `benches/verify.rs` measures it.
#[derive(Debug)]
pub struct Ledger {
    run: u64,
    shards: Box<[CachePadded<Mutex<Keys>>]>,
}

type Keys = HashMap<Hashed, History, ahash::RandomState>;

impl Ledger {
    /// Begins a ledger of a run; its number tells its values from those of other runs.
    #[must_use]
    pub fn new(run: u64) -> Self {
        Self { run, shards: (0..SHARDS).map(|_| CachePadded::default()).collect() }
    }

    /// Makes the value of a write that is about to be sent. It is as long as `size` says, or
    /// as [`MIN_SIZE`]. A `ttl` of 0 seconds or less never expires.
    pub fn begin_write<'a>(
        &self,
        name: Name<'a>,
        size: u32,
        ttl: i32,
        now: Duration,
    ) -> PendingWrite<'a> {
        let (size, written) = (size.max(MIN_SIZE), Nanos::from(now));
        let version = {
            let mut shard = self.shard(name.hashed);
            shard.entry(name.hashed).or_default().begin(size, ttl, written)
        };
        let stamp = self.stamp(name.hashed, version, written, ttl);
        PendingWrite { name, stamp, value: stamp.write(size), expected: None }
    }

    /// Takes down what became of a write.
    ///
    /// # Errors
    ///
    /// The outcome contradicts what is known.
    pub fn end_write(
        &self,
        pending: PendingWrite<'_>,
        outcome: Outcome,
        now: Duration,
    ) -> Result<(), Box<Violation>> {
        let PendingWrite { name, stamp, value, expected } = pending;
        let Stamp { version, written: began, .. } = stamp;
        let ended = Nanos::from(now);
        let judged = {
            let mut shard = self.shard(name.hashed);
            let history = shard.entry(name.hashed).or_default();
            match (outcome, expected) {
                (Outcome::Unknown, _) => Ok(()),
                (Outcome::NotDone, _) => history.refused(version, ended),
                (Outcome::Done, None) => {
                    history.stored(version, began, ended);
                    Ok(())
                }
                (Outcome::Done, Some(expected)) => {
                    history.swapped(expected.version, version, began, ended)
                }
            }
        };
        judged.map_err(|reason| {
            let (kind, found) = match (&reason, expected) {
                (Reason::Expired { .. }, Some(expected)) => (Kind::Expired, expected),
                (_, Some(expected)) if outcome == Outcome::Done => (Kind::LostUpdate, expected),
                _ => (Kind::NeverWritten, stamp),
            };
            let asked = Asked { name, began, ended, length: value.len() };
            asked.violation(kind, Some(found), reason)
        })
    }

    /// The newest value that is known to be in the cache unless it was dropped; none if the
    /// key is not known to have any.
    #[must_use]
    pub fn expected<'a>(&self, name: Name<'a>) -> Option<Expected<'a>> {
        let (version, written, ttl, size) = {
            let shard = self.shard(name.hashed);
            let current = shard.get(&name.hashed)?.current()?;
            (current.number, current.began, current.ttl, current.size)
        };
        let stamp = self.stamp(name.hashed, version, written, ttl);
        Some(Expected { name, stamp, value: stamp.write(size) })
    }

    /// Makes the new value of a compare-and-set, as [`Ledger::begin_write`] does.
    pub fn begin_swap<'a>(
        &self,
        expected: &Expected<'a>,
        size: u32,
        ttl: i32,
        now: Duration,
    ) -> PendingWrite<'a> {
        let pending = self.begin_write(expected.name, size, ttl, now);
        PendingWrite { expected: Some(expected.stamp), ..pending }
    }

    /// Takes down that a delete is about to be sent.
    pub fn begin_delete<'a>(&self, name: Name<'a>, now: Duration) -> PendingDelete<'a> {
        PendingDelete { name, began: now.into() }
    }

    /// Takes down what became of a delete.
    pub fn end_delete(&self, pending: PendingDelete<'_>, outcome: Outcome, now: Duration) {
        if outcome == Outcome::Done {
            let PendingDelete { name, began } = pending;
            let witness = Witness { what: Event::Delete, began, ended: now.into() };
            self.shard(name.hashed).entry(name.hashed).or_default().witness(witness);
        }
    }

    /// Takes down that a read is about to be sent. If it fails, nothing more is to be done.
    pub fn begin_read<'a>(&self, name: Name<'a>, now: Duration) -> PendingRead<'a> {
        PendingRead { name, began: now.into() }
    }

    /// Judges what a read returned; none is a miss, which is always fine.
    ///
    /// # Errors
    ///
    /// No linearizable cache would have returned it.
    pub fn judge(&self, pending: PendingRead<'_>, value: Option<&[u8]>, now: Duration) -> Verdict {
        let PendingRead { name, began } = pending;
        let ended = Nanos::from(now);
        let Some(value) = value else {
            if let Some(history) = self.shard(name.hashed).get_mut(&name.hashed) {
                history.witness(Witness { what: Event::Miss, began, ended });
            }
            return Ok(Seen::Miss);
        };
        let asked = Asked { name, began, ended, length: value.len() };
        let stamp = match Stamp::read(value) {
            Ok(stamp) => stamp,
            Err(damage) => {
                let known = self.foreign(name, began);
                if damage.may_be_foreign() && known.is_ok() {
                    return Ok(Seen::Foreign);
                }
                return Err(asked.violation(Kind::Damaged, None, Reason::Damaged(damage)));
            }
        };
        if stamp.hashed() != name.hashed {
            let Hashed { namespace, key } = name.hashed;
            let kind =
                if stamp.namespace == namespace { Kind::WrongKey } else { Kind::WrongNamespace };
            return Err(asked.violation(kind, Some(stamp), Reason::Misplaced { namespace, key }));
        }
        if stamp.run != self.run {
            return match self.foreign(name, began) {
                Ok(()) => Ok(Seen::Foreign),
                Err(reason) => Err(asked.violation(Kind::Foreign, Some(stamp), reason)),
            };
        }
        let judged = match self.shard(name.hashed).get_mut(&name.hashed) {
            Some(history) => history.read(stamp.version, began, ended),
            None => Err(Reason::NotBegun { newest: 0 }),
        };
        match judged {
            Ok(Checked::Fully) => Ok(Seen::Hit),
            Ok(Checked::NotItsAge) => Ok(Seen::Unchecked),
            Err(reason) => {
                let kind = match reason {
                    Reason::Expired { .. } => Kind::Expired,
                    Reason::Replaced { .. } | Reason::Forgotten { .. } => Kind::Stale,
                    _ => Kind::NeverWritten,
                };
                Err(asked.violation(kind, Some(stamp), reason))
            }
        }
    }

    /// Whether what was there before this run may still be there.
    fn foreign(&self, name: Name<'_>, began: Nanos) -> Result<(), Reason> {
        self.shard(name.hashed).get(&name.hashed).map_or(Ok(()), |history| history.foreign(began))
    }

    fn stamp(&self, name: Hashed, version: u64, written: Nanos, ttl: i32) -> Stamp {
        let Hashed { namespace, key } = name;
        Stamp { run: self.run, namespace, key, version, written, ttl }
    }

    fn shard(&self, name: Hashed) -> MutexGuard<'_, Keys> {
        let index = (name.key ^ name.namespace) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingWrite<'_> {
    /// What to send, once.
    #[must_use]
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    /// What the value says of itself.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }
}

impl Expected<'_> {
    /// What to send as the expected value.
    #[must_use]
    pub fn value(&self) -> &Bytes {
        &self.value
    }
}

/// A request, as a violation tells of it.
struct Asked<'a> {
    name: Name<'a>,
    began: Nanos,
    ended: Nanos,
    length: usize,
}

impl Asked<'_> {
    fn violation(&self, kind: Kind, found: Option<Stamp>, reason: Reason) -> Box<Violation> {
        let &Self { name: Name { namespace, key, .. }, began, ended, length } = self;
        Box::new(Violation {
            kind,
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            began,
            ended,
            found,
            length: length as u64,
            reason,
        })
    }
}
