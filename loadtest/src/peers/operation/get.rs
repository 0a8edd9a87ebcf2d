//! Reads one key.

use tiny_cache_client::transport::rpc;

use super::{
    Answer, Asked, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply, Values,
};
use crate::peers::{
    pipeline::Commands,
    redis::{Piece, refusal},
};

pub(in crate::peers) struct Get<'a>(pub(in crate::peers) &'a str);

impl Exchange for Get<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let read = payloads.begin(self.0);
        let reply = calls.of_key(self.0).call(&rpc::Get { key: self.0 }).await?;
        payloads.end_read(read, reply.found.then_some(&reply.value[..]));
        Ok(Answer::of_one(reply.found))
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let read = payloads.begin(self.0);
        let found = asked.client.get(self.0).await?;
        payloads.end_read(read, found.as_deref());
        asked.read(0, found.is_some());
        Ok(Answer::of_one(found.is_some()))
    }

    async fn redis(self, redis: &Reconnecting<Redis>, _: &Values) -> Reply {
        match redis.one(Commands::new().words(&[b"GET", self.0.as_bytes()])).await? {
            Piece::Value(_) => Ok(Answer::of_one(true)),
            Piece::Nil => Ok(Answer::of_one(false)),
            other => Err(refusal(&other)),
        }
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, _: &Values) -> Reply {
        memcached.read(&[self.0]).await
    }
}
