//! Writes one key.

use tiny_cache_client::transport::rpc;

use super::{
    Answer, Asked, CallError, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply,
    Values, lifetime,
};
use crate::{peers::pipeline::Commands, workload::Write};

pub(in crate::peers) struct Set<'a>(pub(in crate::peers) &'a Write);

impl Exchange for Set<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let Write { key, ttl, .. } = self.0;
        let pending = payloads.begin_write(self.0);
        let set = rpc::Set { key, value: pending.value(), ttl: ttl.seconds() };
        let reply = calls.of_key(&self.0.key).accepted(&set).await;
        payloads.end_write(pending, reply.as_ref().map(|()| true));
        reply.map(|()| Answer::Done)
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let pending = payloads.begin_write(self.0);
        let set = asked.client.set(&self.0.key, pending.value().clone());
        let reply = set.ttl(lifetime(self.0.ttl)).await.map_err(CallError::from);
        payloads.end_write(pending, reply.as_ref().map(|()| true));
        reply.map(|()| Answer::Done)
    }

    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply {
        redis.write(Commands::new().put(self.0, &values.of(self.0), &[])).await
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply {
        memcached.write(Commands::new().set("set", self.0, &values.of(self.0))).await
    }
}
