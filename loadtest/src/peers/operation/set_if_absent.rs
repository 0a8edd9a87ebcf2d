//! Writes one key unless it is there.

use tiny_cache_client::{SetIfAbsentOutcome, transport::rpc};

use super::{
    Answer, Asked, CallError, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply,
    Values, lifetime,
};
use crate::{
    peers::{
        memcached,
        pipeline::Commands,
        redis::{self, Piece},
    },
    workload::Write,
};

pub(in crate::peers) struct SetIfAbsent<'a>(pub(in crate::peers) &'a Write);

impl Exchange for SetIfAbsent<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let Write { key, ttl, .. } = self.0;
        let pending = payloads.begin_write(self.0);
        let set = rpc::SetIfAbsent { key, value: pending.value(), ttl: ttl.seconds() };
        let reply = calls.of_key(&self.0.key).stored(&set).await;
        payloads.end_write(pending, reply.as_ref().copied());
        reply.map(|stored| Answer::Conditional { stored })
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let pending = payloads.begin_write(self.0);
        let set = asked.client.set_if_absent(&self.0.key, pending.value().clone());
        let reply = set.ttl(lifetime(self.0.ttl)).await.map_err(CallError::from);
        let reply = reply.map(SetIfAbsentOutcome::is_stored);
        payloads.end_write(pending, reply.as_ref().copied());
        reply.map(|stored| Answer::Conditional { stored })
    }

    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply {
        let set = Commands::new().put(self.0, &values.of(self.0), &[b"NX"]);
        match redis.one(set).await? {
            Piece::Word(_) => Ok(Answer::Conditional { stored: true }),
            Piece::Nil => Ok(Answer::Conditional { stored: false }),
            other => Err(redis::refusal(&other)),
        }
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply {
        let add = Commands::new().set("add", self.0, &values.of(self.0));
        match &memcached.word(add).await?[..] {
            b"STORED" => Ok(Answer::Conditional { stored: true }),
            b"NOT_STORED" => Ok(Answer::Conditional { stored: false }),
            other => Err(memcached::refusal(other)),
        }
    }
}
