//! Adds one to a counter, and makes it if it is not there.

use tiny_cache_proto::v1::AddRequest;

use super::{
    Answer, Asked, CallError, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply,
    Values, lifetime,
};
use crate::{
    peers::{
        memcached::{self, word},
        pipeline::Commands,
        redis::{self, Piece},
    },
    workload::{Counter, Write},
};

/// Tries of memcached, where a counter may come and go between two commands.
const MOST_TRIES: usize = 16;

pub(in crate::peers) struct Incr<'a>(pub(in crate::peers) &'a Counter);

impl Exchange for Incr<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let Counter(Write { key, ttl, .. }) = self.0;
        let step = payloads.begin_step(key);
        let request = AddRequest {
            key: key.clone(),
            delta: 1,
            ttl_ms: i64::from(ttl.seconds().max(0)) * 1000,
            ..AddRequest::default()
        };
        let reply = calls.of_key(key).call(&request).await?;
        payloads.end_step(step, (reply.value, reply.version));
        Ok(Answer::Done)
    }

    async fn several(self, asked: &mut Asked<'_>, _: Payloads<'_>) -> Reply {
        let Counter(Write { key, ttl, .. }) = self.0;
        let _counter = asked.client.add(key, 1).ttl(lifetime(*ttl)).await?;
        Ok(Answer::Done)
    }

    async fn redis(self, redis: &Reconnecting<Redis>, _: &Values) -> Reply {
        let Counter(Write { key, .. }) = self.0;
        match redis.one(Commands::new().words(&[b"INCR", key.as_bytes()])).await? {
            Piece::Number(_) => Ok(Answer::Done),
            other => Err(redis::refusal(&other)),
        }
    }

    /// A counter that is not there is added, which is one more round trip.
    async fn memcached(self, memcached: &Reconnecting<Memcached>, _: &Values) -> Reply {
        let Counter(Write { key, .. }) = self.0;
        let call = async |connection: &memcached::Connection| {
            for _ in 0..MOST_TRIES {
                let incr = Commands::new().line(format_args!("incr {key} 1"));
                match &word(connection.ask(incr).await?)?[..] {
                    b"NOT_FOUND" => {}
                    value if value.iter().all(u8::is_ascii_digit) => return Ok(()),
                    other => return Err(memcached::refusal(other)),
                }
                let add = Commands::new().line(format_args!("add {key} 0 0 1\r\n1"));
                match &word(connection.ask(add).await?)?[..] {
                    b"STORED" => return Ok(()),
                    b"NOT_STORED" => {}
                    other => return Err(memcached::refusal(other)),
                }
            }
            Err(CallError::BadReply(format!("{key} comes and goes")))
        };
        memcached.call(call).await.map(|()| Answer::Done)
    }
}
