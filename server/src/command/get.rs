//! Get: reads one value.

use std::iter;

use tiny_cache_proto::{cache::CacheKey, key::Key};

use super::contract::{Command, Context};
use crate::{
    call::{Facts, Reads, ReplyMessage, ReplyWriter, RequestMessage, each_field},
    rejection::Rejection,
    store::Lookup,
    tier,
};

pub(crate) struct Get;

/// One key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OneKey<'a> {
    pub(super) key: &'a str,
}

impl Command for Get {
    type Request<'a> = OneKey<'a>;
    type Reply<'a> = Lookup;

    const OVER_TIER: bool = true;

    async fn run<'a>(context: &Context<'a>, request: OneKey<'a>) -> Result<Lookup, Rejection> {
        let key = Key::parse(context.namespace, request.key)?;
        match context.through() {
            None => Ok(context.store.get(key)),
            Some(tier) => Ok(tier.get(key).await),
        }
    }

    fn near<'a>(context: &Context<'a>, request: &OneKey<'a>) -> Option<Lookup> {
        let key = Key::parse(context.namespace, request.key).ok()?;
        tier::near(context.store, key)
    }
}

impl<'a> From<&'a CacheKey> for OneKey<'a> {
    fn from(message: &'a CacheKey) -> Self {
        Self { key: &message.key }
    }
}

impl<'a> RequestMessage<'a> for OneKey<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match number {
                1 => request.key = field.text()?,
                _ => return None,
            }
            Some(())
        })?;
        Some(request)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::once(self.key)
    }
}

impl ReplyMessage for Lookup {
    fn describe(&self, facts: &mut Facts) {
        facts.reads = Reads::One;
        match self {
            Self::Hit(value) => (facts.hits, facts.value_bytes) = (1, value.len() as u64),
            Self::Miss => facts.misses = 1,
        }
    }

    fn write(&self, message: &mut ReplyWriter) {
        if let Self::Hit(value) = self {
            message.number(1, 1);
            message.value(2, value, || value.lend());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::written, *};
    use crate::store::Value;
    use tiny_cache_proto::cache::CacheValue;

    #[test]
    fn a_reply_is_the_contracts_message() {
        for bytes in [0, 1, 64, 1 << 20] {
            let value = vec![7; bytes];
            let reply = Lookup::Hit(Value::holding(&value));
            assert_eq!(
                written::<CacheValue>(&reply),
                CacheValue { found: true, value: value.into() }
            );
        }
        assert_eq!(written::<CacheValue>(&Lookup::Miss), CacheValue::default());
    }
}
