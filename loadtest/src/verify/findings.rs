//! How often a server did what it must not do, and what was fine.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{
    ledger::{Allowed, Judged},
    violation::{Kind, Violation},
};

/// What one lane found, or several together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Reads that returned a value which may be.
    pub hits: u64,
    /// Reads that returned none.
    pub misses: u64,
    /// Reads of values that other runs had left.
    pub foreign: u64,
    /// Reads of this run's values whose age could not be judged. All else was.
    pub unchecked: u64,
    /// What no linearizable cache does.
    pub violations: BTreeMap<Kind, KindTally>,
}

/// The violations of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct KindTally {
    /// How many there were.
    pub count: u64,
    /// The one that was over first.
    pub first: Violation,
}

impl Findings {
    /// Counts what [`Ledger::judge`](super::Ledger::judge) says.
    pub fn read(&mut self, verdict: Judged) {
        match verdict {
            Ok(Allowed::Hit) => self.hits += 1,
            Ok(Allowed::Miss) => self.misses += 1,
            Ok(Allowed::Foreign) => self.foreign += 1,
            Ok(Allowed::Unchecked) => self.unchecked += 1,
            Err(violation) => self.blame(*violation),
        }
    }

    /// Counts what [`Ledger::end_write`](super::Ledger::end_write) says.
    pub fn wrote(&mut self, ended: Result<(), Box<Violation>>) {
        if let Err(violation) = ended {
            self.blame(*violation);
        }
    }

    fn blame(&mut self, violation: Violation) {
        self.add(violation.kind, KindTally { count: 1, first: violation });
    }

    /// Adds what another lane found.
    pub fn merge(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.foreign += other.foreign;
        self.unchecked += other.unchecked;
        for (kind, tally) in other.violations {
            self.add(kind, tally);
        }
    }

    /// Whether there is no violation. The run fails if there is one.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    fn add(&mut self, kind: Kind, tally: KindTally) {
        match self.violations.entry(kind) {
            Entry::Vacant(entry) => {
                entry.insert(tally);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.count += tally.count;
                if tally.first.ended < known.first.ended {
                    known.first = tally.first;
                }
            }
        }
    }
}
