//! Reads a batch of keys.

use tiny_cache_client::transport::rpc;

use super::{
    Answer, Asked, CallError, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply,
    Values,
};
use crate::peers::{
    pipeline::Commands,
    redis::{Piece, bad, refusal},
    tiny_cache::whole,
};

pub(in crate::peers) struct MultiGet<'a>(pub(in crate::peers) &'a [String]);

impl Exchange for MultiGet<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let keys: Vec<&str> = self.0.iter().map(String::as_str).collect();
        let reads: Vec<_> = keys.iter().map(|key| payloads.begin(key)).collect();
        let items = calls.call(&rpc::MultiGet { keys: &keys }).await?.items;
        whole(keys.len(), items.len())?;
        if let Some(failed) = items.iter().find(|item| !item.error.is_empty()) {
            return Err(CallError::Item(failed.error.clone()));
        }
        for (read, item) in reads.into_iter().zip(&items) {
            payloads.end_read(read, item.found.then_some(&item.value[..]));
        }
        Ok(Answer::of_batch(keys.len(), items.iter().filter(|item| item.found).count()))
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let reads: Vec<_> = self.0.iter().map(|key| payloads.begin(key)).collect();
        let found = asked.client.get_many(self.0).await?;
        let (mut hits, mut failed) = (0, None);
        for (place, (read, found)) in reads.into_iter().zip(found).enumerate() {
            match found {
                Ok(found) => {
                    payloads.end_read(read, found.as_deref());
                    asked.read(place, found.is_some());
                    hits += usize::from(found.is_some());
                }
                Err(error) => {
                    asked.failed(place);
                    failed = failed.or(Some(error));
                }
            }
        }
        failed.map_or_else(|| Ok(Answer::of_batch(self.0.len(), hits)), |error| Err(error.into()))
    }

    async fn redis(self, redis: &Reconnecting<Redis>, _: &Values) -> Reply {
        let keys = self.0.iter().map(String::as_bytes);
        let words: Vec<&[u8]> = [&b"MGET"[..]].into_iter().chain(keys).collect();
        let reply = redis.ask(Commands::new().words(&words)).await?;
        let items = match reply.split_first() {
            Some((Piece::Array(_), items)) => items,
            Some((other, _)) => return Err(refusal(other)),
            None => return Err(bad("nothing")),
        };
        whole(self.0.len(), items.len())?;
        let hits = items.iter().filter(|item| **item != Piece::Nil).count();
        Ok(Answer::of_batch(self.0.len(), hits))
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, _: &Values) -> Reply {
        memcached.read(self.0).await
    }
}
