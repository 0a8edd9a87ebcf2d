//! Reads the version of one key, and writes it if that is still the same: two calls. Of a key that is
//! not there it writes if there is still none. Redis, which has no versions, compares values in one.

use tiny_cache_client::Condition;
use tiny_cache_proto::v1::{
    self, Outcome, Presence, ReadRequest, ReadState, WriteRequest, condition::Holds,
};

use super::{
    Answer, Asked, CallError, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply,
    Values, compare_and_set::CompareAndSet, lifetime,
};
use crate::workload::Write;

pub(in crate::peers) struct Replace<'a>(pub(in crate::peers) &'a Write);

impl Exchange for Replace<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let Write { key, ttl, .. } = self.0;
        let calls = calls.of_key(key);
        let request = ReadRequest { key: key.clone(), exists_only: true, ..ReadRequest::default() };
        let seen = payloads.begin(key);
        let found = calls.call(&request).await?;
        let holds = if found.state() == ReadState::Fresh {
            payloads.saw(seen, found.version, None);
            Holds::Version(found.version)
        } else {
            Holds::Presence(Presence::Absent.into())
        };
        let (pending, made) = (payloads.begin_write(self.0), payloads.begin(key));
        let request = WriteRequest {
            key: key.clone(),
            value: pending.value().clone(),
            ttl_ms: i64::from(ttl.seconds().max(0)) * 1000,
            condition: Some(v1::Condition { holds: Some(holds) }),
            ..WriteRequest::default()
        };
        let value = pending.value().clone();
        let told = calls.call(&request).await.and_then(|reply| match reply.outcome() {
            Outcome::Applied => Ok((true, reply.version)),
            Outcome::Exists | Outcome::NotFound | Outcome::Mismatch => Ok((false, reply.version)),
            _ => Err(CallError::NotOk(reply.outcome)),
        });
        payloads.end_write(pending, told.as_ref().map(|(stored, _)| *stored));
        let (stored, version) = told?;
        if stored {
            payloads.saw(made, version, Some(&value));
        }
        Ok(Answer::Conditional { stored })
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let Write { key, ttl, .. } = self.0;
        let found = asked.client.read(key).without_value().await?;
        let condition = found.map_or(Condition::Absent, |entry| Condition::Version(entry.version));
        let pending = payloads.begin_write(self.0);
        let write = asked.client.write(key, pending.value().clone());
        let reply = write.ttl(lifetime(*ttl)).when(condition).await.map_err(CallError::from);
        let reply = reply.map(|change| change.is_applied());
        payloads.end_write(pending, reply.as_ref().copied());
        reply.map(|stored| Answer::Conditional { stored })
    }

    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply {
        CompareAndSet(self.0).redis(redis, values).await
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply {
        CompareAndSet(self.0).memcached(memcached, values).await
    }
}
