//! Makes the call of an operation with values that say whose they are, and holds what is read
//! against what was written. The calls are those of an unverified run.

use std::{cell::RefCell, sync::Arc, time::Instant};

use bytes::Bytes;
use tiny_cache_client::transport::rpc;

use super::Answer;
use crate::{
    transport::{CallError, Calls, Link, Lookup},
    verify::{Findings, Ledger, Name, Outcome, PendingWrite},
    workload::{Operation, Write},
};

/// What one thread knows of the values of all.
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

    /// What was found since it was last asked.
    pub(crate) fn findings(&self) -> Findings {
        self.findings.take()
    }

    /// Makes the call of an operation, once.
    pub(crate) async fn issue(
        &self,
        link: &Link,
        space: usize,
        operation: &Operation,
    ) -> Result<Answer, CallError> {
        let (calls, ledger) = (link.at(space), &*self.ledger);
        let name = |key| Name::new(&self.spaces[space], key);
        match operation {
            Operation::Get(key) | Operation::Fetch(Write { key, .. }) => {
                let pending = ledger.begin_read(name(key), self.epoch.elapsed());
                let lookup = calls.get(key).await?;
                let verdict = ledger.judge(pending, bytes(&lookup), self.epoch.elapsed());
                self.findings.borrow_mut().read(verdict);
                Ok(Answer::of([&lookup]))
            }
            Operation::MultiGet(keys) => {
                let now = self.epoch.elapsed();
                let pending: Vec<_> =
                    keys.iter().map(|key| ledger.begin_read(name(key), now)).collect();
                let names: Vec<&str> = keys.iter().map(String::as_str).collect();
                let lookups = calls.multi_get(&names).await?;
                let now = self.epoch.elapsed();
                for (pending, lookup) in pending.into_iter().zip(&lookups) {
                    let verdict = ledger.judge(pending, bytes(lookup), now);
                    self.findings.borrow_mut().read(verdict);
                }
                Ok(Answer::of(&lookups))
            }
            Operation::Set(write) => {
                let pending = self.begin(space, write);
                let reply = calls.set(&write.key, pending.value(), write.ttl).await;
                self.end(pending, reply.as_ref().map(|()| true));
                reply.map(|()| Answer::Done)
            }
            Operation::MultiSet(writes) => self.multi_set(calls, space, writes).await,
            Operation::SetIfAbsent(write) => {
                let pending = self.begin(space, write);
                let reply = calls.set_if_absent(&write.key, pending.value(), write.ttl).await;
                self.end(pending, reply.as_ref().copied());
                reply.map(|stored| Answer::Conditional { stored })
            }
            Operation::CompareAndSet(write) => self.compare_and_set(calls, space, write).await,
            Operation::Delete(key) => {
                let pending = ledger.begin_delete(name(key), self.epoch.elapsed());
                let reply = calls.delete(key).await;
                let outcome = if reply.is_ok() { Outcome::Done } else { Outcome::Unknown };
                ledger.end_delete(pending, outcome, self.epoch.elapsed());
                reply.map(|()| Answer::Done)
            }
        }
    }

    async fn multi_set(
        &self,
        calls: Calls<'_>,
        space: usize,
        writes: &[Write],
    ) -> Result<Answer, CallError> {
        // A key may be there twice. The server takes the items in their order.
        let pending: Vec<_> = writes.iter().map(|write| self.begin(space, write)).collect();
        let items: Vec<_> = writes
            .iter()
            .zip(&pending)
            .map(|(write, pending)| rpc::Set {
                key: &write.key,
                value: pending.value(),
                ttl: write.ttl.seconds(),
            })
            .collect();
        let reply = calls.multi_set(&items).await;
        drop(items);
        for pending in pending {
            self.end(pending, reply.as_ref().map(|()| true));
        }
        reply.map(|()| Answer::Done)
    }

    /// Expects what the newest write left there; where none is known, a value that was never
    /// written, which is not there.
    async fn compare_and_set(
        &self,
        calls: Calls<'_>,
        space: usize,
        write: &Write,
    ) -> Result<Answer, CallError> {
        let name = Name::new(&self.spaces[space], &write.key);
        let (size, ttl) = (write.size, write.ttl.seconds());
        let (pending, expected) = match self.ledger.expected(name) {
            Some(expected) => {
                let value = expected.value().clone();
                (self.ledger.begin_swap(&expected, size, ttl, self.epoch.elapsed()), value)
            }
            None => (self.begin(space, write), Bytes::new()),
        };
        let value = pending.value();
        let reply = calls.compare_and_set(&write.key, &expected, value, write.ttl).await;
        self.end(pending, reply.as_ref().copied());
        reply.map(|stored| Answer::Conditional { stored })
    }

    fn begin<'a>(&'a self, space: usize, write: &'a Write) -> PendingWrite<'a> {
        let name = Name::new(&self.spaces[space], &write.key);
        self.ledger.begin_write(name, write.size, write.ttl.seconds(), self.epoch.elapsed())
    }

    /// Takes down whether a write was stored. One without a reply may yet be.
    fn end(&self, pending: PendingWrite<'_>, stored: Result<bool, &CallError>) {
        let outcome = match stored {
            Ok(true) => Outcome::Done,
            Ok(false) => Outcome::NotDone,
            Err(_) => Outcome::Unknown,
        };
        let ended = self.ledger.end_write(pending, outcome, self.epoch.elapsed());
        self.findings.borrow_mut().wrote(ended);
    }
}

fn bytes(lookup: &Lookup) -> Option<&[u8]> {
    match lookup {
        Lookup::Hit(value) => Some(value),
        Lookup::Miss => None,
    }
}
