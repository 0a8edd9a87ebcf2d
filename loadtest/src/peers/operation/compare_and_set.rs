//! Writes one key if it has the value that the run expects.

use tiny_cache_client::{CompareAndSetOutcome, transport::rpc};

use super::{
    Answer, Asked, CallError, Calls, Exchange, Memcached, Payloads, Reconnecting, Redis, Reply,
    Values, lifetime,
};
use crate::{
    peers::{
        memcached::{self, found, word},
        pipeline::Commands,
        redis::{self, Piece},
    },
    workload::Write,
};

/// Redis has SET with IFEQ from 8.4 on and Valkey from 8.1. The script runs on every server that
/// has scripts, also in one round trip. Each call carries the whole script, so that a server that
/// restarted has nothing to load.
const SCRIPT: &[u8] = b"\
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
    if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2]) \
    else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end \
    return 1";

pub(in crate::peers) struct CompareAndSet<'a>(pub(in crate::peers) &'a Write);

impl Exchange for CompareAndSet<'_> {
    async fn tiny_cache(self, calls: Calls<'_>, payloads: Payloads<'_>) -> Reply {
        let Write { key, ttl, .. } = self.0;
        let (pending, expected) = payloads.begin_swap(self.0);
        let (value, ttl) = (pending.value(), ttl.seconds());
        let swap = rpc::CompareAndSet { key, expected: &expected, value, ttl };
        let reply = calls.of_key(&self.0.key).stored(&swap).await;
        payloads.end_write(pending, reply.as_ref().copied());
        reply.map(|stored| Answer::Conditional { stored })
    }

    async fn several(self, asked: &mut Asked<'_>, payloads: Payloads<'_>) -> Reply {
        let (pending, expected) = payloads.begin_swap(self.0);
        let value = pending.value().clone();
        let swap = asked.client.compare_and_set(&self.0.key, expected, value);
        let reply = swap.ttl(lifetime(self.0.ttl)).await.map_err(CallError::from);
        let reply = reply.map(CompareAndSetOutcome::is_stored);
        payloads.end_write(pending, reply.as_ref().copied());
        reply.map(|stored| Answer::Conditional { stored })
    }

    async fn redis(self, redis: &Reconnecting<Redis>, values: &Values) -> Reply {
        let (key, value) = (self.0.key.as_bytes(), values.of(self.0));
        let ttl = self.0.ttl.seconds().to_string();
        let eval = [b"EVAL", SCRIPT, b"1", key, &value, &value, ttl.as_bytes()];
        match redis.one(Commands::new().words(&eval)).await? {
            Piece::Number(stored) => Ok(Answer::Conditional { stored: stored == 1 }),
            other => Err(redis::refusal(&other)),
        }
    }

    /// Reads value and version, and writes if the version is still the same: two round trips,
    /// since the protocol compares versions, not values.
    async fn memcached(self, memcached: &Reconnecting<Memcached>, values: &Values) -> Reply {
        let value = values.of(self.0);
        let call = async |connection: &memcached::Connection| {
            let there = connection.ask(Commands::read("gets", &[&self.0.key])).await?;
            let version = match found(there)?.as_slice() {
                [] => return Ok(false),
                [(data, _)] if *data != value => return Ok(false),
                [(_, Some(version))] => *version,
                _ => return Err(CallError::BadReply("a gets without a version".to_owned())),
            };
            let cas = Commands::new().cas(self.0, &value, version);
            match &word(connection.ask(cas).await?)?[..] {
                b"STORED" => Ok(true),
                b"EXISTS" | b"NOT_FOUND" => Ok(false),
                other => Err(memcached::refusal(other)),
            }
        };
        Ok(Answer::Conditional { stored: memcached.call(call).await? })
    }
}
