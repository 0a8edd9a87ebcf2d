//! Removes one key.

use tiny_cache_client::transport::rpc;

use super::{
    Answer, Asked, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply, Values,
};
use crate::peers::{
    memcached,
    pipeline::Commands,
    redis::{self, Piece},
};

pub(in crate::peers) struct Delete<'a>(pub(in crate::peers) &'a str);

impl Exchange for Delete<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let pending = payloads.begin(self.0);
        let reply = calls.of_key(self.0).accepted(&rpc::Delete { key: self.0 }).await;
        payloads.end_delete(pending, reply.is_ok());
        reply.map(|()| Answer::Done)
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let pending = payloads.begin(self.0);
        let reply = asked.client.delete(self.0).await;
        payloads.end_delete(pending, reply.is_ok());
        reply?;
        Ok(Answer::Done)
    }

    async fn redis(self, redis: &Reconnecting<Redis>, _: &Values) -> Reply {
        match redis.one(Commands::new().words(&[b"DEL", self.0.as_bytes()])).await? {
            Piece::Number(_) => Ok(Answer::Done),
            other => Err(redis::refusal(&other)),
        }
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, _: &Values) -> Reply {
        let delete = Commands::new().line(format_args!("delete {}", self.0));
        match &memcached.word(delete).await?[..] {
            b"DELETED" | b"NOT_FOUND" => Ok(Answer::Done),
            other => Err(memcached::refusal(other)),
        }
    }
}
