//! All keys that a process knows, for all its threads. A call locks one of many maps for as
//! long as it takes to look at one key.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use crossbeam::utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};

use super::{
    history::{Checked, History},
    name::{Hashed, Name},
    nanos::Nanos,
    numbers::Numbers,
    stamp::{MIN_SIZE, Stamp},
    violation::{Event, Kind, Reason, Violation, Witness},
};

/// Maps that are locked one by one: enough that threads seldom meet.
const SHARDS: usize = 256;

/// What became of a write or a delete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// The server said that it is done.
    Done,
    /// The server said that it is not, and will not be: a condition that did not hold.
    NotDone,
    /// It may be done already, later, or never: a timeout, a broken connection.
    Unknown,
}

/// A read that is as it may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Allowed {
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
pub type Judged = Result<Allowed, Box<Violation>>;

/// A write that begins.
#[derive(Debug)]
#[must_use = "tell the ledger what became of it"]
pub struct PendingWrite<'a> {
    name: Name<'a>,
    /// What the value says of itself.
    pub stamp: Stamp,
    /// What to send, once.
    pub value: Bytes,
    /// What a compare-and-set expects.
    expected: Option<Stamp>,
}

/// A read or a delete that begins.
#[derive(Debug)]
#[must_use = "judge what it brings, or tell the ledger what became of it"]
pub struct Begun<'a> {
    name: Name<'a>,
    began: Nanos,
}

/// What a compare-and-set may expect.
#[derive(Debug)]
pub struct Expected<'a> {
    name: Name<'a>,
    stamp: Stamp,
    /// What to send as the expected value.
    pub value: Bytes,
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
    /// Of the keys whose versions at the server were seen.
    numbers: Box<[CachePadded<Mutex<ByKey>>]>,
}

type ByKey = HashMap<Hashed, Numbers, ahash::RandomState>;

/// A step of a counter that begins.
#[derive(Debug)]
#[must_use = "tell the ledger what became of it, if it was made"]
pub struct PendingStep<'a> {
    begun: Begun<'a>,
    ended_before: u64,
}

type Keys = HashMap<Hashed, History, ahash::RandomState>;

impl Ledger {
    /// Begins a ledger of a run. The run's number distinguishes its values from those of others.
    pub fn new(run: u64) -> Self {
        Self {
            run,
            shards: (0..SHARDS).map(|_| CachePadded::default()).collect(),
            numbers: (0..SHARDS).map(|_| CachePadded::default()).collect(),
        }
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
    /// The fate contradicts what is known.
    pub fn end_write(
        &self,
        pending: PendingWrite<'_>,
        fate: Fate,
        now: Duration,
    ) -> Result<(), Box<Violation>> {
        let PendingWrite { name, stamp, value, expected } = pending;
        let Stamp { version, written: began, .. } = stamp;
        let ended = Nanos::from(now);
        let judged = {
            let mut shard = self.shard(name.hashed);
            let history = shard.entry(name.hashed).or_default();
            match (fate, expected) {
                (Fate::Unknown, _) => Ok(()),
                (Fate::NotDone, _) => history.refused(version, ended),
                (Fate::Done, None) => {
                    history.stored(version, began, ended);
                    Ok(())
                }
                (Fate::Done, Some(expected)) => {
                    history.swapped(expected.version, version, began, ended)
                }
            }
        };
        judged.map_err(|reason| {
            let (kind, found) = match (&reason, expected) {
                (Reason::Expired(_), Some(expected)) => (Kind::Expired, expected),
                (_, Some(expected)) if fate == Fate::Done => (Kind::LostUpdate, expected),
                _ => (Kind::NeverWritten, stamp),
            };
            let asked = Asked { name, began, ended, length: value.len() };
            asked.violation(kind, Some(found), reason)
        })
    }

    /// The newest value that is known to be in the cache unless it was dropped; none if the
    /// key is not known to have any.
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

    /// Takes down what became of a delete.
    pub fn end_delete(&self, begun: Begun<'_>, fate: Fate, now: Duration) {
        if fate == Fate::Done {
            let Begun { name, began } = begun;
            let witness = Witness { what: Event::Delete, began, ended: now.into() };
            self.shard(name.hashed).entry(name.hashed).or_default().witness(witness);
        }
    }

    /// Judges what a read returned; none is a miss, which is always fine.
    ///
    /// # Errors
    ///
    /// No linearizable cache would have returned it.
    pub fn judge(&self, begun: Begun<'_>, value: Option<&[u8]>, now: Duration) -> Judged {
        let Begun { name, began } = begun;
        let ended = Nanos::from(now);
        let Some(value) = value else {
            if let Some(history) = self.shard(name.hashed).get_mut(&name.hashed) {
                history.witness(Witness { what: Event::Miss, began, ended });
            }
            return Ok(Allowed::Miss);
        };
        let asked = Asked { name, began, ended, length: value.len() };
        let stamp = match Stamp::read(value) {
            Ok(stamp) => stamp,
            Err(damage) => {
                let known = self.foreign(name, began);
                if damage.may_be_foreign() && known.is_ok() {
                    return Ok(Allowed::Foreign);
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
                Ok(()) => Ok(Allowed::Foreign),
                Err(reason) => Err(asked.violation(Kind::Foreign, Some(stamp), reason)),
            };
        }
        let judged = match self.shard(name.hashed).get_mut(&name.hashed) {
            Some(history) => history.read(stamp.version, began, ended),
            None => Err(Reason::NotBegun(0)),
        };
        match judged {
            Ok(Checked::Fully) => Ok(Allowed::Hit),
            Ok(Checked::NotItsAge) => Ok(Allowed::Unchecked),
            Err(reason) => {
                let kind = match reason {
                    Reason::Expired(_) => Kind::Expired,
                    Reason::Replaced(_) | Reason::Forgotten(_) => Kind::Stale,
                    _ => Kind::NeverWritten,
                };
                Err(asked.violation(kind, Some(stamp), reason))
            }
        }
    }

    /// Takes down which version of the server's a call saw or made, and whose value that is, if it is
    /// one of this run.
    ///
    /// # Errors
    ///
    /// A server that gives later writes higher versions would not have said so.
    pub fn saw(
        &self,
        begun: Begun<'_>,
        version: i64,
        value: Option<&[u8]>,
        now: Duration,
    ) -> Result<(), Box<Violation>> {
        let Begun { name, began } = begun;
        let ended = Nanos::from(now);
        let stamp = value.and_then(|value| Stamp::read(value).ok());
        let number = stamp.filter(|stamp| stamp.run == self.run).map(|stamp| stamp.version);
        let saw = {
            let mut numbers = self.numbers(name.hashed);
            numbers.entry(name.hashed).or_default().saw(version, number, (began, ended))
        };
        saw.map_err(|reason| {
            let asked = Asked { name, began, ended, length: value.map_or(0, <[u8]>::len) };
            asked.violation(Kind::WrongVersion, stamp, reason)
        })
    }

    /// A step of a counter, by one, is about to be sent.
    pub fn begin_step<'a>(&self, name: Name<'a>, now: Duration) -> PendingStep<'a> {
        let ended_before = self.numbers(name.hashed).entry(name.hashed).or_default().begin_step();
        PendingStep { begun: Begun::new(name, now), ended_before }
    }

    /// Takes down what a step made the counter, and with which version of the server's.
    ///
    /// # Errors
    ///
    /// A step was lost.
    pub fn end_step(
        &self,
        step: PendingStep<'_>,
        told: (i64, i64),
        now: Duration,
    ) -> Result<(), Box<Violation>> {
        let PendingStep { begun: Begun { name, began }, ended_before } = step;
        let ended = Nanos::from(now);
        let stepped = {
            let mut numbers = self.numbers(name.hashed);
            let numbers = numbers.entry(name.hashed).or_default();
            numbers.stepped(told, ended_before, (began, ended))
        };
        stepped.map_err(|reason| {
            let asked = Asked { name, began, ended, length: 0 };
            let kind = match reason {
                Reason::VersionBefore(..) => Kind::WrongVersion,
                _ => Kind::LostStep,
            };
            asked.violation(kind, None, reason)
        })
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
        self.shards[place(name)].lock()
    }

    fn numbers(&self, name: Hashed) -> MutexGuard<'_, ByKey> {
        self.numbers[place(name)].lock()
    }
}

fn place(name: Hashed) -> usize {
    (name.key ^ name.namespace) as usize % SHARDS
}

impl<'a> Begun<'a> {
    /// A request that is about to be sent. If a read fails, nothing more is to be done.
    pub fn new(name: Name<'a>, now: Duration) -> Self {
        Self { name, began: now.into() }
    }
}

/// A request, as a violation reports it.
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
