//! The verbs on the second tier: what the store decides before a write, the tier's answer, and what
//! the store counts then.

use bytes::Bytes;
use tiny_cache_proto::key::Key;

use crate::{
    rejection::Rejection,
    store::{Lookup, Outcome, Refused, StoreHandle, Ttl},
    tier::{Down, Tier, Write},
};

/// Begins to write a value, unless it may not be written. The outcome is to be waited for.
pub(super) fn set<'a>(
    store: &'a StoreHandle,
    tier: &Tier,
    key: Key<'a>,
    value: &[u8],
    ttl: Ttl,
) -> Result<impl Future<Output = Result<(), Down>> + Send + use<'a>, Refused> {
    store.admit_write(key, value, ttl)?;
    let len = value.len();
    let outcome = tier.write(key, Write::Set { value: Bytes::copy_from_slice(value), ttl });
    Ok(async move {
        outcome.await?;
        store.count_write(key.namespace(), len);
        Ok(())
    })
}

/// Begins to remove a value.
pub(super) fn delete(
    tier: &Tier,
    key: Key<'_>,
) -> impl Future<Output = Result<(), Down>> + Send + use<> {
    let outcome = tier.write(key, Write::Delete);
    async move { outcome.await.map(|_| ()) }
}

/// Writes a value unless a live one is there.
pub(super) async fn set_if_absent(
    store: &StoreHandle,
    tier: &Tier,
    key: Key<'_>,
    value: &[u8],
    ttl: Ttl,
) -> Result<Outcome, Rejection> {
    // Whether one is there is decided before the size is looked at.
    if value.len() > store.store().limits().max_value_bytes
        && let Lookup::Hit(_) = tier.find(store, key).await?
    {
        return Ok(Outcome::Exists);
    }
    store.admit_write(key, value, ttl)?;
    let write = Write::SetIfAbsent { value: Bytes::copy_from_slice(value), ttl };
    conclude(store, key, value, tier.write(key, write).await)
}

/// Replaces the value if it equals the expected one.
pub(super) async fn compare_and_set(
    store: &StoreHandle,
    tier: &Tier,
    key: Key<'_>,
    (expected, value): (&[u8], &[u8]),
    ttl: Ttl,
) -> Result<Outcome, Rejection> {
    // Likewise.
    if value.len() > store.store().limits().max_value_bytes {
        match tier.find(store, key).await? {
            Lookup::Miss => return Ok(Outcome::NotFound),
            Lookup::Hit(current) if *current != *expected => return Ok(Outcome::Mismatch),
            Lookup::Hit(_) => {}
        }
    }
    store.admit_write(key, value, ttl)?;
    let (expected, new) = (Bytes::copy_from_slice(expected), Bytes::copy_from_slice(value));
    let write = Write::CompareAndSet { expected, value: new, ttl };
    conclude(store, key, value, tier.write(key, write).await)
}

fn conclude(
    store: &StoreHandle,
    key: Key<'_>,
    value: &[u8],
    outcome: Result<Outcome, Down>,
) -> Result<Outcome, Rejection> {
    let outcome = outcome?;
    if outcome == Outcome::Stored {
        store.count_write(key.namespace(), value.len());
    }
    Ok(outcome)
}
