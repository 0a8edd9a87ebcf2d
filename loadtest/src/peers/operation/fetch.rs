//! Reads one key for a caller that fills it on a miss: where leases are asked for, with one.

use tiny_cache_client::{Claimed, Lease};
use tiny_cache_proto::v1::{LeaseRequest, ReadRequest, ReadState};

use super::{
    Answer, Asked, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply, Values,
    get::Get,
};
use crate::{peers::route::LeaseTerms, workload::Write};

pub(in crate::peers) struct Fetch<'a>(pub(in crate::peers) &'a Write);

impl<'a> Fetch<'a> {
    fn get(&self) -> Get<'a> {
        Get(&self.0.key)
    }
}

impl Exchange for Fetch<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let Some(LeaseTerms { lease, wait }) = calls.leases() else {
            return self.get().tiny_cache(calls, payloads).await;
        };
        let Write { key, .. } = self.0;
        let read = payloads.begin(key);
        let lease =
            LeaseRequest { lease_ms: lease.as_millis() as i64, wait_ms: wait.as_millis() as i64 };
        let request =
            ReadRequest { key: key.clone(), lease: Some(lease), ..ReadRequest::default() };
        let reply = calls.of_key(key).call(&request).await?;
        let is_there = matches!(reply.state(), ReadState::Fresh | ReadState::Stale);
        payloads.end_read(read, is_there.then_some(&reply.value[..]));
        Ok(match reply.lease {
            Some(lease) if !is_there => Answer::Leased(Lease::from_token(lease.token)),
            _ => Answer::of_one(is_there),
        })
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let Some(LeaseTerms { lease, wait }) = asked.leases else {
            return self.get().several(asked, payloads).await;
        };
        let read = payloads.begin(&self.0.key);
        let claimed = asked.client.claim(&self.0.key, lease).wait(wait).await?;
        let (value, lease) = match claimed {
            Claimed::Found(entry) | Claimed::Refresh(entry, _) => (entry.value, None),
            Claimed::Granted(lease) => (None, Some(lease)),
            Claimed::Busy | Claimed::Missed => (None, None),
        };
        payloads.end_read(read, value.as_deref());
        asked.read(0, value.is_some());
        Ok(lease.map_or(Answer::of_one(value.is_some()), Answer::Leased))
    }

    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply {
        self.get().redis(redis, values).await
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply {
        self.get().memcached(memcached, values).await
    }
}
