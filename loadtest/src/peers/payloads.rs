//! The values that tiny-cache is sent, and a check of those that it returns. Without a verifier
//! values are noise and none is checked; the calls are the same.

use std::{cell::RefCell, sync::Arc, time::Instant};

use bytes::Bytes;

use super::error::CallError;
use crate::{
    values::Values,
    verify::{Begun, Fate, Findings, Ledger, Name, PendingStep, PendingWrite},
    workload::Write,
};

/// What one thread found, and what all threads know of the values.
pub(crate) struct Verifier {
    ledger: Arc<Ledger>,
    /// From which all threads count.
    epoch: Instant,
    spaces: Arc<[String]>,
    findings: RefCell<Findings>,
}

impl Verifier {
    pub(crate) fn new(ledger: Arc<Ledger>, epoch: Instant, spaces: Arc<[String]>) -> Self {
        Self { ledger, epoch, spaces, findings: RefCell::default() }
    }

    /// What was found since this was last called.
    pub(crate) fn findings(&self) -> Findings {
        self.findings.take()
    }
}

/// The values of one operation.
#[derive(Clone, Copy)]
pub(super) struct Payloads<'a> {
    values: &'a Values,
    verifier: Option<(&'a Verifier, &'a str)>,
}

/// A value that is being written.
pub(super) enum Pending<'a> {
    Unverified(Bytes),
    Verified(PendingWrite<'a>),
}

impl Pending<'_> {
    pub(super) fn value(&self) -> &Bytes {
        match self {
            Self::Unverified(value) => value,
            Self::Verified(pending) => &pending.value,
        }
    }
}

impl<'a> Payloads<'a> {
    pub(super) fn new(values: &'a Values, verifier: Option<&'a Verifier>, space: usize) -> Self {
        Self { values, verifier: verifier.map(|of| (of, &*of.spaces[space])) }
    }

    /// Begins a read or a delete.
    pub(super) fn begin(&self, key: &'a str) -> Option<Begun<'a>> {
        let (Verifier { epoch, .. }, space) = self.verifier?;
        Some(Begun::new(Name::new(space, key), epoch.elapsed()))
    }

    /// Judges what a read returned.
    pub(super) fn end_read(&self, read: Option<Begun<'_>>, found: Option<&[u8]>) {
        let (Some((of, _)), Some(read)) = (self.verifier, read) else { return };
        of.findings.borrow_mut().read(of.ledger.judge(read, found, of.epoch.elapsed()));
    }

    /// Takes down which version of the server's a call saw or made.
    pub(super) fn saw(&self, call: Option<Begun<'_>>, version: i64, value: Option<&[u8]>) {
        let (Some((of, _)), Some(call)) = (self.verifier, call) else { return };
        let saw = of.ledger.saw(call, version, value, of.epoch.elapsed());
        of.findings.borrow_mut().wrote(saw);
    }

    /// Begins a step of a counter.
    pub(super) fn begin_step(&self, key: &'a str) -> Option<PendingStep<'a>> {
        let (Verifier { ledger, epoch, .. }, space) = self.verifier?;
        Some(ledger.begin_step(Name::new(space, key), epoch.elapsed()))
    }

    /// Takes down what a step made the counter, and with which version of the server's.
    pub(super) fn end_step(&self, step: Option<PendingStep<'_>>, told: (i64, i64)) {
        let (Some((of, _)), Some(step)) = (self.verifier, step) else { return };
        let stepped = of.ledger.end_step(step, told, of.epoch.elapsed());
        of.findings.borrow_mut().wrote(stepped);
    }

    pub(super) fn begin_write(&self, write: &'a Write) -> Pending<'a> {
        let Some((Verifier { ledger, epoch, .. }, space)) = self.verifier else {
            return Pending::Unverified(self.values.of(write));
        };
        let Write { key, size, ttl } = write;
        let name = Name::new(space, key);
        Pending::Verified(ledger.begin_write(name, *size, ttl.seconds(), epoch.elapsed()))
    }

    /// Begins a compare-and-set; returns what it expects to find. Unverified, that is the value
    /// that every write of the key has. Verified, it is what the newest write left; where none is
    /// known, a value that was never written.
    pub(super) fn begin_swap(&self, write: &'a Write) -> (Pending<'a>, Bytes) {
        let Some((Verifier { ledger, epoch, .. }, space)) = self.verifier else {
            let value = self.values.of(write);
            return (Pending::Unverified(value.clone()), value);
        };
        let Some(expected) = ledger.expected(Name::new(space, &write.key)) else {
            return (self.begin_write(write), Bytes::new());
        };
        let (size, ttl) = (write.size, write.ttl.seconds());
        let pending = ledger.begin_swap(&expected, size, ttl, epoch.elapsed());
        (Pending::Verified(pending), expected.value.clone())
    }

    /// Takes down whether a write was stored. One without a reply may yet be.
    pub(super) fn end_write(&self, pending: Pending<'_>, stored: Result<bool, &CallError>) {
        let (Some((of, _)), Pending::Verified(pending)) = (self.verifier, pending) else { return };
        let fate = match stored {
            Ok(true) => Fate::Done,
            Ok(false) => Fate::NotDone,
            Err(_) => Fate::Unknown,
        };
        of.findings.borrow_mut().wrote(of.ledger.end_write(pending, fate, of.epoch.elapsed()));
    }

    /// Takes down whether a key was removed. Without a reply it may yet be.
    pub(super) fn end_delete(&self, delete: Option<Begun<'_>>, is_done: bool) {
        let (Some((of, _)), Some(delete)) = (self.verifier, delete) else { return };
        let fate = if is_done { Fate::Done } else { Fate::Unknown };
        of.ledger.end_delete(delete, fate, of.epoch.elapsed());
    }
}
