//! Writes a batch of keys.

use tiny_cache_client::{Item, transport::rpc};

use super::{
    Answer, Asked, CallError, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply,
    Values, lifetime,
};
use crate::{peers::pipeline::Commands, workload::Write};

pub(in crate::peers) struct MultiSet<'a>(pub(in crate::peers) &'a [Write]);

impl Exchange for MultiSet<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        // A key may be there twice. The server takes the items in their order.
        let pending: Vec<_> = self.0.iter().map(|write| payloads.begin_write(write)).collect();
        let items: Vec<_> = self
            .0
            .iter()
            .zip(&pending)
            .map(|(Write { key, ttl, .. }, pending)| rpc::Set {
                key,
                value: pending.value(),
                ttl: ttl.seconds(),
            })
            .collect();
        let reply = calls.all_ok(&rpc::MultiSet { items: &items }, items.len()).await;
        drop(items);
        for pending in pending {
            payloads.end_write(pending, reply.as_ref().map(|()| true));
        }
        reply.map(|()| Answer::Done)
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let pending: Vec<_> = self.0.iter().map(|write| payloads.begin_write(write)).collect();
        let items = self.0.iter().zip(&pending);
        let items = items.map(|(Write { key, ttl, .. }, pending)| {
            Item::new(key.as_str(), pending.value().clone()).ttl(lifetime(*ttl))
        });
        let results = asked.client.set_many(items).await;
        let mut reply = Ok(Answer::Done);
        match results {
            Ok(results) => {
                for (place, (pending, result)) in pending.into_iter().zip(results).enumerate() {
                    let result = result.map_err(CallError::from);
                    payloads.end_write(pending, result.as_ref().map(|()| true));
                    if let Err(error) = result {
                        asked.failed(place);
                        reply = reply.and(Err(error));
                    }
                }
            }
            Err(error) => {
                let error = CallError::from(error);
                for pending in pending {
                    payloads.end_write(pending, Err(&error));
                }
                reply = Err(error);
            }
        }
        reply
    }

    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply {
        let put = |sets: Commands, write| sets.put(write, &values.of(write), &[]);
        redis.write(self.0.iter().fold(Commands::new(), put)).await
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply {
        let set = |sets: Commands, write| sets.set("set", write, &values.of(write));
        memcached.write(self.0.iter().fold(Commands::new(), set)).await
    }
}
