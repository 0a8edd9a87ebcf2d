//! What is known of one key, and the rule that judges a read of it.
//!
//! # The rule
//!
//! A cache is linearizable if each operation takes effect at one instant between its begin
//! and its end (Herlihy and Wing, "Linearizability: a correctness condition for concurrent
//! objects", ACM TOPLAS 12(3), 1990), here with a server that may drop any value at any time.
//! An operation of unknown outcome takes effect at any instant after its begin, or never.
//!
//! A [`Witness`] is an interval within which the key held a certain thing at some instant:
//! that of an acknowledged write, of an acknowledged delete, of a read that returned a
//! version, of a miss. A version is *held by* the end of the first witness of it.
//!
//! A read that returns version `v` is wrong if there is a witness of anything but `v` that
//! began after `v` was held, and ended before the read began.
//!
//! *Proof that no linearizable cache is blamed.* `v` was stored at an instant no later than
//! when it was held, and only then, for it is sent once. The witness says that at a later
//! instant the key held something else, or nothing. From there on only another store of `v`
//! could bring it back, and there is none: at no instant after the witness's end does the key
//! hold `v`, at the read's instant neither. ∎
//!
//! By the same proof:
//!
//! - A read is wrong if it began later than the ttl after `v` was held, since the ttl runs from
//!   an instant no later than that; [`grace`] allows for what clocks are.
//! - A compare-and-set that was stored is a read of what it expected. Two that were stored and
//!   expected the same version are wrong whatever their times: the first to take effect
//!   replaced it for good.
//! - A value of another run, which is over, was held before this one. It is wrong after any
//!   witness.
//! - A version that a conditional write was refused was never stored.
//!
//! A write that is under way or whose outcome is unknown is not held, and cannot be judged,
//! until a read returns it.
//!
//! # Memory
//!
//! A witness is not kept. It marks the versions that it makes wrong to read, and they are
//! kept for reads under way, for [`KEPT_FOR`] and no more than [`MOST_VERSIONS`]. What was
//! forgotten was marked before a known instant: a read of it that began later is wrong, and
//! one that began earlier goes unchecked. So does a read of a version that had to be given up
//! while it could not be judged.
//!
//! # What is not noticed
//!
//! A miss of any kind, a value gone before its time, a conditional write that was refused
//! without need: a cache may drop a value at any time. What a witness would show that was
//! reported after a later one began is lost; it takes threads that are held up between a reply
//! and their call of the ledger.

use std::time::Duration;

use smallvec::SmallVec;

use super::{
    nanos::Nanos,
    violation::{Event, Reason, Witness},
};

/// How long a version that was replaced is kept for the reads under way.
pub const KEPT_FOR: Duration = Duration::from_secs(1);

/// Most versions kept of a key, those of writes under way among them.
pub const MOST_VERSIONS: usize = 64;

/// What may pass between the end of a ttl and the begin of a read that returns the value all
/// the same: a second, and a thousandth of the ttl. Two machines' clocks may differ in rate by
/// that much, 500 ppm each, which is as far as Linux lets its own be slewed (`adjtimex(2)`).
pub fn grace(ttl: Duration) -> Duration {
    Duration::from_secs(1) + ttl / 1000
}

/// One key.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The newest version that was begun.
    newest: u64,
    /// In the order of their numbers.
    versions: SmallVec<[Version; 1]>,
    /// Forgotten versions were wrong to read from then on.
    forgotten: Nanos,
    /// Versions up to here may be missing for want of room.
    given_up: u64,
    /// The end of the first witness.
    witnessed: Option<Nanos>,
}

/// A version that may yet be read.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) size: u32,
    pub(super) ttl: i32,
    pub(super) began: Nanos,
    state: State,
    /// The version that took its place by a compare-and-set.
    swapped: u64,
    /// Of those that make it wrong to read, the one that ended first.
    replaced: Option<Witness>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Under way, or of unknown outcome.
    Open,
    /// In the cache no later than that.
    Held(Nanos),
    /// Never in the cache, as was said then.
    Refused(Nanos),
}

/// How a hit of this run was judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Checked {
    /// By the rule.
    Fully,
    /// Not as to its age: too little is known of the version any more.
    NotItsAge,
}

impl History {
    /// A write begins; it gets the next version.
    pub(super) fn begin(&mut self, size: u32, ttl: i32, began: Nanos) -> u64 {
        self.newest += 1;
        self.versions.push(Version {
            number: self.newest,
            size,
            ttl,
            began,
            state: State::Open,
            swapped: 0,
            replaced: None,
        });
        self.forget(began);
        self.newest
    }

    /// A write was acknowledged.
    pub(super) fn stored(&mut self, number: u64, began: Nanos, ended: Nanos) {
        self.hold(number, ended);
        self.witness(Witness { what: Event::Write(number), began, ended });
    }

    /// A conditional write was refused.
    ///
    /// # Errors
    ///
    /// It was read before.
    pub(super) fn refused(&mut self, number: u64, ended: Nanos) -> Result<(), Reason> {
        let Some(version) = self.find(number) else { return Ok(()) };
        if let State::Held(by) = version.state {
            return Err(Reason::ReadThenRefused(by));
        }
        version.state = State::Refused(ended);
        self.forget(ended);
        Ok(())
    }

    /// A version was read.
    ///
    /// # Errors
    ///
    /// It could not have been.
    pub(super) fn read(
        &mut self,
        number: u64,
        began: Nanos,
        ended: Nanos,
    ) -> Result<Checked, Reason> {
        let checked = self.check(number, began)?;
        // What may be wrong bears no witness.
        if checked == Checked::Fully {
            self.hold(number, ended);
            self.witness(Witness { what: Event::Read(number), began, ended });
        }
        Ok(checked)
    }

    /// A compare-and-set of `expected` for `number` was stored.
    ///
    /// # Errors
    ///
    /// `expected` could not have been there.
    pub(super) fn swapped(
        &mut self,
        expected: u64,
        number: u64,
        began: Nanos,
        ended: Nanos,
    ) -> Result<(), Reason> {
        let checked = self.check(expected, began);
        let before = self.find(expected).map_or(0, |version| {
            let before = version.swapped;
            version.swapped = number;
            before
        });
        self.stored(number, began, ended);
        match before {
            0 => checked.map(|_any| ()),
            first => Err(Reason::SwappedTwice(first)),
        }
    }

    /// A value of another run was read.
    ///
    /// # Errors
    ///
    /// It could not have been there any more.
    pub(super) fn foreign(&self, began: Nanos) -> Result<(), Reason> {
        match self.witnessed {
            Some(since) if since < began => Err(Reason::Cleared(since)),
            _ => Ok(()),
        }
    }

    /// The key held a certain thing at some instant of an interval.
    pub(super) fn witness(&mut self, witness: Witness) {
        let Witness { what, began, ended } = witness;
        self.witnessed = Some(self.witnessed.map_or(ended, |first| first.min(ended)));
        for version in &mut self.versions {
            if let State::Held(by) = version.state
                && by < began
                && what.version() != Some(version.number)
                && version.replaced.is_none_or(|earlier| ended < earlier.ended)
            {
                version.replaced = Some(witness);
            }
        }
        self.forget(ended);
    }

    /// The newest version that is known to have been in the cache and not to have left it.
    pub(super) fn current(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|version| {
            matches!(version.state, State::Held(_))
                && version.replaced.is_none()
                && version.swapped == 0
        })
    }

    /// Whether a read that began then may return a version.
    fn check(&mut self, number: u64, began: Nanos) -> Result<Checked, Reason> {
        if number == 0 || number > self.newest {
            return Err(Reason::NotBegun(self.newest));
        }
        let (forgotten, given_up) = (self.forgotten, self.given_up);
        let Some(version) = self.find(number) else {
            return if number > given_up && forgotten < began {
                Err(Reason::Forgotten(forgotten))
            } else {
                Ok(Checked::NotItsAge)
            };
        };
        match (version.state, version.replaced) {
            (State::Refused(at), _) => Err(Reason::Refused(at)),
            (_, Some(witness)) if witness.ended < began => Err(Reason::Replaced(witness)),
            (State::Held(by), _) => match version.end_of_life(by) {
                Some(ended) if ended < began => Err(Reason::Expired(by)),
                _ => Ok(Checked::Fully),
            },
            (State::Open, _) => Ok(Checked::Fully),
        }
    }

    /// The version was in the cache no later than that.
    fn hold(&mut self, number: u64, by: Nanos) {
        let Some(version) = self.find(number) else { return };
        version.state = match version.state {
            State::Open => State::Held(by),
            State::Held(known) => State::Held(known.min(by)),
            State::Refused(at) => State::Refused(at),
        };
    }

    /// Drops what is not needed any more, and what there is no room for.
    fn forget(&mut self, now: Nanos) {
        // Most keys, most of the time.
        if self.versions.len() <= 1 {
            return;
        }
        let forgotten = &mut self.forgotten;
        self.versions.retain(|version| match version.wrong_since() {
            Some(since) if since.after(KEPT_FOR) < now => {
                *forgotten = since.max(*forgotten);
                false
            }
            _ => true,
        });
        while self.versions.len() > MOST_VERSIONS {
            let oldest = self.versions.iter().position(|version| version.wrong_since().is_some());
            let version = self.versions.remove(oldest.unwrap_or(0));
            match version.wrong_since() {
                Some(since) => self.forgotten = since.max(self.forgotten),
                None => self.given_up = version.number.max(self.given_up),
            }
        }
        // The heap is for keys with several writes at once.
        if self.versions.len() <= 1 {
            self.versions.shrink_to_fit();
        }
    }

    fn find(&mut self, number: u64) -> Option<&mut Version> {
        let index = self.versions.binary_search_by_key(&number, |version| version.number).ok()?;
        self.versions.get_mut(index)
    }
}

impl Version {
    /// From when on it is wrong to begin a read that returns it, if that is known.
    fn wrong_since(&self) -> Option<Nanos> {
        match (self.state, self.replaced) {
            (State::Refused(at), _) => Some(at),
            (_, witness) => witness.map(|witness| witness.ended),
        }
    }

    /// When its time is over, with grace, if it has one.
    fn end_of_life(&self, held_by: Nanos) -> Option<Nanos> {
        let ttl = u64::try_from(self.ttl).ok().filter(|seconds| *seconds > 0)?;
        let ttl = Duration::from_secs(ttl);
        Some(held_by.after(ttl).after(grace(ttl)))
    }
}
