//! The rule as it is written, over all that ever happened to a key: what the ledger says
//! with little memory must be what this says with all of it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::super::super::{
    Kind,
    history::{KEPT_FOR, grace},
};

/// One key.
#[derive(Default)]
pub(super) struct Oracle {
    /// The version held, begin and end.
    witnesses: Vec<(Option<u64>, Duration, Duration)>,
    ttls: HashMap<u64, i32>,
    refused: HashSet<u64>,
    swapped: HashSet<u64>,
    /// Whether this run has written or deleted.
    touched: bool,
}

impl Oracle {
    pub(super) fn begun(&mut self, version: u64, ttl: i32) {
        self.touched = true;
        self.ttls.insert(version, ttl);
    }

    pub(super) fn stored(&mut self, version: u64, began: Duration, ended: Duration) {
        self.witnesses.push((Some(version), began, ended));
    }

    pub(super) fn refused(&mut self, version: u64) -> Result<(), Kind> {
        if self.held_by(version).is_some() {
            return Err(Kind::NeverWritten);
        }
        self.refused.insert(version);
        Ok(())
    }

    pub(super) fn swapped(
        &mut self,
        (expected, version): (u64, u64),
        began: Duration,
        ended: Duration,
    ) -> Result<(), Kind> {
        let judged = if self.swapped.insert(expected) {
            self.check(expected, began)
        } else {
            Err(Kind::LostUpdate)
        };
        self.stored(version, began, ended);
        judged.map_err(|kind| if kind == Kind::Stale { Kind::LostUpdate } else { kind })
    }

    pub(super) fn deleted(&mut self, began: Duration, ended: Duration) {
        self.touched = true;
        self.witnesses.push((None, began, ended));
    }

    pub(super) fn missed(&mut self, began: Duration, ended: Duration) {
        if self.touched {
            self.witnesses.push((None, began, ended));
        }
    }

    pub(super) fn read(
        &mut self,
        version: u64,
        began: Duration,
        ended: Duration,
    ) -> Result<(), Kind> {
        self.check(version, began)?;
        self.stored(version, began, ended);
        Ok(())
    }

    pub(super) fn foreign(&self, began: Duration) -> Result<(), Kind> {
        let over = self.witnesses.iter().any(|(_, _, ended)| *ended < began);
        if over { Err(Kind::Foreign) } else { Ok(()) }
    }

    /// Whether the ledger may have forgotten a version.
    pub(super) fn may_be_forgotten(&self, version: u64, now: Duration) -> bool {
        self.refused.contains(&version)
            || self.wrong_since(version).is_some_and(|since| since + KEPT_FOR < now)
    }

    fn check(&self, version: u64, began: Duration) -> Result<(), Kind> {
        if self.refused.contains(&version) {
            return Err(Kind::NeverWritten);
        }
        if self.wrong_since(version).is_some_and(|since| since < began) {
            return Err(Kind::Stale);
        }
        let ttl = self.ttls[&version];
        if let Some(held_by) = self.held_by(version)
            && ttl > 0
        {
            let ttl = Duration::from_secs(ttl as u64);
            if held_by + ttl + grace(ttl) < began {
                return Err(Kind::Expired);
            }
        }
        Ok(())
    }

    fn held_by(&self, version: u64) -> Option<Duration> {
        let of = self.witnesses.iter().filter(|(held, ..)| *held == Some(version));
        of.map(|(_, _, ended)| *ended).min()
    }

    /// The end of the first witness of anything else that began after the version was held.
    fn wrong_since(&self, version: u64) -> Option<Duration> {
        let held_by = self.held_by(version)?;
        let others = self
            .witnesses
            .iter()
            .filter(|(held, began, _)| *held != Some(version) && held_by < *began);
        others.map(|(_, _, ended)| *ended).min()
    }
}
