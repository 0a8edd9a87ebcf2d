//! Writes one key after a miss: under the lease that came with it, if one did.

use tiny_cache_proto::v1::{Outcome, WriteRequest};

use super::{
    Answer, Asked, CallError, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply,
    Values, lifetime, set::Set,
};
use crate::workload::Filling;

pub(in crate::peers) struct Fill<'a>(pub(in crate::peers) &'a Filling);

impl Exchange for Fill<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let Filling { write, lease } = self.0;
        let Some(lease) = lease else { return Set(write).tiny_cache(calls, payloads).await };
        let pending = payloads.begin_write(write);
        let request = WriteRequest {
            key: write.key.clone(),
            value: pending.value().clone(),
            ttl_ms: i64::from(write.ttl.seconds()) * 1000,
            lease_token: lease.token(),
            ..WriteRequest::default()
        };
        let reply = stored(&calls.of_key(&write.key), &request).await;
        payloads.end_write(pending, reply.as_ref().copied());
        reply.map(|stored| Answer::Conditional { stored })
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let Filling { write, lease } = self.0;
        let Some(lease) = lease else { return Set(write).several(asked, payloads).await };
        let pending = payloads.begin_write(write);
        let request = asked.client.write(&write.key, pending.value().clone());
        let request = request.ttl(lifetime(write.ttl)).with_lease(*lease);
        let reply = request.await.map_err(CallError::from);
        let reply = reply.map(|change| change.is_applied());
        payloads.end_write(pending, reply.as_ref().copied());
        reply.map(|stored| Answer::Conditional { stored })
    }

    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply {
        Set(&self.0.write).redis(redis, values).await
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply {
        Set(&self.0.write).memcached(memcached, values).await
    }
}

/// Whether the lease lasted.
async fn stored(calls: &Calls<'_>, request: &WriteRequest) -> Result<bool, CallError> {
    let reply = calls.call(request).await?;
    match reply.outcome() {
        Outcome::Applied => Ok(true),
        Outcome::LeaseLost => Ok(false),
        _ => Err(CallError::NotOk(reply.outcome)),
    }
}
