//! Set: writes one value.

use std::iter;

use tiny_cache_proto::{
    cache::{CacheItem, CacheResponse, CacheStatus},
    key::Key,
};

use super::contract::{Command, Context};
use crate::{
    call::{Field, ReplyMessage, ReplyWriter, RequestMessage, each_field},
    rejection::Rejection,
    store::Ttl,
};

pub(crate) struct Set;

/// A key, and the value and time to live that it is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a [u8],
    pub(super) ttl: i32,
}

impl Command for Set {
    type Request<'a> = Item<'a>;
    type Reply<'a> = CacheResponse;

    const OVER_TIER: bool = true;

    async fn run<'a>(context: &Context<'a>, item: Item<'a>) -> Result<CacheResponse, Rejection> {
        let key = Key::parse(context.namespace, item.key)?;
        let ttl = Ttl::from_seconds(item.ttl);
        match context.through() {
            None => context.store.set(key, item.value, ttl)?,
            Some(tier) => tier.set(key, item.value, ttl)?.await?,
        }
        Ok(CacheResponse { status: CacheStatus::Ok.into() })
    }
}

impl<'a> From<&'a CacheItem> for Item<'a> {
    fn from(message: &'a CacheItem) -> Self {
        Self { key: &message.key, value: &message.value, ttl: message.ttl }
    }
}

impl<'a> RequestMessage<'a> for Item<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut item = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, key) => item.key = key.text()?,
                (2, Field::Bytes(value)) => item.value = value,
                (3, Field::Number(ttl)) => item.ttl = ttl as i32,
                _ => return None,
            }
            Some(())
        })?;
        Some(item)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::once(self.key)
    }

    fn value_bytes(&self) -> usize {
        self.value.len()
    }
}

impl ReplyMessage for CacheResponse {
    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}
