//! Reads one key with its version. Systems that have none just read it.

use tiny_cache_proto::v1::{ReadRequest, ReadState};

use super::{
    Answer, Asked, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply, Values,
    get::Get,
};

pub(in crate::peers) struct Read<'a>(pub(in crate::peers) &'a str);

impl Exchange for Read<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let [read, seen] = [(); 2].map(|()| payloads.begin(self.0));
        let request = ReadRequest { key: self.0.to_owned(), ..ReadRequest::default() };
        let reply = calls.of_key(self.0).call(&request).await?;
        let is_there = reply.state() == ReadState::Fresh;
        payloads.end_read(read, is_there.then_some(&reply.value[..]));
        if is_there {
            payloads.saw(seen, reply.version, Some(&reply.value));
        }
        Ok(Answer::of_one(is_there))
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let read = payloads.begin(self.0);
        let found = asked.client.read(self.0).await?;
        let value = found.and_then(|entry| entry.value);
        payloads.end_read(read, value.as_deref());
        asked.read(0, value.is_some());
        Ok(Answer::of_one(value.is_some()))
    }

    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply {
        Get(self.0).redis(redis, values).await
    }

    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply {
        Get(self.0).memcached(memcached, values).await
    }
}
