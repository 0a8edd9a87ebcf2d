//! Get: reads one value.

use std::iter;

use bytes::Bytes;
use tiny_cache_proto::{
    cache::{CacheKey, CacheValue},
    key::Key,
};

use super::contract::{Command, Context};
use crate::{
    call::{Facts, LARGE, Reads, ReplyMessage, RequestMessage, Segments, SegmentsBuilder},
    rejection::Rejection,
    store::Lookup,
};

pub(crate) struct Get;

impl Command for Get {
    type Request = CacheKey;
    type Reply = CacheValue;

    async fn run(context: &Context<'_>, message: CacheKey) -> Result<CacheValue, Rejection> {
        let key = Key::parse(context.namespace, &message.key)?;
        Ok(match context.store.get(key) {
            Lookup::Hit(value) => CacheValue { found: true, value: value.lend() },
            Lookup::Miss => CacheValue::default(),
        })
    }
}

impl RequestMessage for CacheKey {
    fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        iter::once(self.key.as_str())
    }
}

impl ReplyMessage for CacheValue {
    fn describe(&self, facts: &mut Facts) {
        facts.reads = Reads::One;
        facts.hits = u64::from(self.found);
        facts.misses = u64::from(!self.found);
        facts.value_bytes = self.value.len() as u64;
    }

    fn segments(&self) -> Option<Segments> {
        if self.value.len() < LARGE {
            return None;
        }
        let mut reply = SegmentsBuilder::default();
        reply.encode(&CacheValue { found: self.found, value: Bytes::new() });
        reply.value(2, &self.value);
        Some(reply.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn a_large_value_is_cut_off_and_a_small_reply_is_left_to_tonic() {
        let reply = |bytes| CacheValue { found: true, value: vec![7; bytes].into() };
        assert_eq!(reply(LARGE - 1).segments(), None);
        let large = reply(LARGE);
        assert_eq!(large.segments().unwrap().joined(), large.encode_to_vec());
    }
}
