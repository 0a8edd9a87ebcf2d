//! The verbs on the second tier: the near part first, what the store decides before a write, the
//! tier's answer, and what the store counts then. Each exchange is noted where the call is traced.

use std::time::Instant;

use bytes::Bytes;
use tiny_cache_proto::key::Key;

use crate::{
    call::{Hands, Trip},
    rejection::Rejection,
    store::{Lookup, Outcome, Refused, StoreHandle, Ttl},
    tier::{Down, Tier, Write},
};

/// The second tier as one call uses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Through<'a> {
    pub(crate) store: &'a StoreHandle,
    pub(crate) tier: &'a Tier,
    /// What the call's trace is told by; none: it is told nothing.
    pub(crate) traced: Option<&'a Hands>,
}

impl<'a> Through<'a> {
    /// Reads a value, and counts a hit or a miss. It is a miss, too, if the tier does not answer.
    pub(super) async fn get(self, key: Key<'_>) -> Lookup {
        match self.tier.take_near(self.store, key) {
            Some(found) => found,
            None => self.settle(key, self.fetch(key)).await,
        }
    }

    /// Reads values, in the order of the keys. All that are not near are asked for before the first
    /// is waited for, so that they share a pipeline.
    pub(super) async fn get_all<E>(
        self,
        keys: impl Iterator<Item = Result<Key<'_>, E>>,
    ) -> Vec<Result<Lookup, E>> {
        let pending = keys.map(|key| {
            let key = key?;
            Ok(match self.tier.take_near(self.store, key) {
                Some(found) => Pending::There(found),
                None => Pending::Comes(key, self.fetch(key)),
            })
        });
        let pending: Vec<_> = pending.collect();
        let mut found = Vec::with_capacity(pending.len());
        for one in pending {
            found.push(match one {
                Ok(Pending::There(lookup)) => Ok(lookup),
                Ok(Pending::Comes(key, answer)) => Ok(self.settle(key, answer).await),
                Err(invalid) => Err(invalid),
            });
        }
        found
    }

    /// Begins to write a value, unless it may not be written. The outcome is to be waited for.
    pub(super) fn set(
        self,
        key: Key<'a>,
        value: &[u8],
        ttl: Ttl,
    ) -> Result<impl Future<Output = Result<(), Down>> + Send + use<'a>, Refused> {
        self.store.admit_write(key, value, ttl)?;
        let len = value.len();
        let outcome = self.write(key, Write::Set { value: Bytes::copy_from_slice(value), ttl });
        Ok(async move {
            outcome.await?;
            self.store.count_write(key.namespace(), len);
            Ok(())
        })
    }

    /// Begins to remove a value.
    pub(super) fn delete(
        self,
        key: Key<'_>,
    ) -> impl Future<Output = Result<(), Down>> + Send + use<'a> {
        let outcome = self.write(key, Write::Delete);
        async move { outcome.await.map(|_| ()) }
    }

    /// Writes a value unless a live one is there.
    pub(super) async fn set_if_absent(
        self,
        key: Key<'_>,
        value: &[u8],
        ttl: Ttl,
    ) -> Result<Outcome, Rejection> {
        // Whether one is there is decided before the size is looked at.
        if value.len() > self.store.store().limits().max_value_bytes
            && let Lookup::Hit(_) = self.find(key).await?
        {
            return Ok(Outcome::Exists);
        }
        self.store.admit_write(key, value, ttl)?;
        let write = Write::SetIfAbsent { value: Bytes::copy_from_slice(value), ttl };
        self.conclude(key, value, self.write(key, write).await)
    }

    /// Replaces the value if it equals the expected one.
    pub(super) async fn compare_and_set(
        self,
        key: Key<'_>,
        (expected, value): (&[u8], &[u8]),
        ttl: Ttl,
    ) -> Result<Outcome, Rejection> {
        // Likewise.
        if value.len() > self.store.store().limits().max_value_bytes {
            match self.find(key).await? {
                Lookup::Miss => return Ok(Outcome::NotFound),
                Lookup::Hit(current) if *current != *expected => return Ok(Outcome::Mismatch),
                Lookup::Hit(_) => {}
            }
        }
        self.store.admit_write(key, value, ttl)?;
        let (expected, new) = (Bytes::copy_from_slice(expected), Bytes::copy_from_slice(value));
        let write = Write::CompareAndSet { expected, value: new, ttl };
        self.conclude(key, value, self.write(key, write).await)
    }

    fn conclude(
        self,
        key: Key<'_>,
        value: &[u8],
        outcome: Result<Outcome, Down>,
    ) -> Result<Outcome, Rejection> {
        let outcome = outcome?;
        if outcome == Outcome::Stored {
            self.store.count_write(key.namespace(), value.len());
        }
        Ok(outcome)
    }

    /// Reads a value that nobody asked for, so that it counts neither as a hit nor as a miss.
    async fn find(self, key: Key<'_>) -> Result<Lookup, Down> {
        match self.store.peek(key) {
            Lookup::Miss => self.fetch(key).await,
            found @ Lookup::Hit(_) => Ok(found),
        }
    }

    /// Counts what a read comes to.
    async fn settle(
        self,
        key: Key<'_>,
        answer: impl Future<Output = Result<Lookup, Down>>,
    ) -> Lookup {
        let found = self.tier.found(answer.await);
        self.store.count_read(key.namespace(), found.is_hit());
        found
    }
}

/// An answer that is there already, or on its way.
enum Pending<'k, F> {
    There(Lookup),
    Comes(Key<'k>, F),
}

/// What the tier is asked, and the trace told.
impl<'a> Through<'a> {
    fn fetch(self, key: Key<'_>) -> impl Future<Output = Result<Lookup, Down>> + Send + use<'a> {
        self.noted("GET", self.tier.read(key))
    }

    fn write(
        self,
        key: Key<'_>,
        write: Write,
    ) -> impl Future<Output = Result<Outcome, Down>> + Send + use<'a> {
        self.noted(write.verb(), self.tier.write(key, write))
    }

    /// Notes what an exchange that has just begun comes to.
    fn noted<T>(
        self,
        verb: &'static str,
        answer: impl Future<Output = Result<T, Down>> + Send,
    ) -> impl Future<Output = Result<T, Down>> + Send {
        let traced = self.traced.map(|traced| (traced, Instant::now()));
        async move {
            let answer = answer.await;
            if let Some((traced, began)) = traced {
                let problem = answer.as_ref().err().map(Down::word);
                let server = self.tier.server().cloned();
                let ended = Instant::now();
                traced.note(Trip { verb, keys: 1, began, ended, problem, server });
            }
            answer
        }
    }
}
