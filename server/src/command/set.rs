//! Set: writes one value.

use std::iter;

use tiny_cache_proto::{
    cache::{CacheItem, CacheResponse, CacheStatus},
    key::Key,
};

use super::contract::{Command, Context};
use crate::{
    call::{ReplyMessage, RequestMessage},
    rejection::Rejection,
    store::Ttl,
};

pub(crate) struct Set;

impl Command for Set {
    type Request = CacheItem;
    type Reply = CacheResponse;

    async fn run(context: &Context<'_>, message: CacheItem) -> Result<CacheResponse, Rejection> {
        let key = Key::parse(context.namespace, &message.key)?;
        context.store.set(key, &message.value, Ttl::from_seconds(message.ttl))?;
        Ok(CacheResponse { status: CacheStatus::Ok.into() })
    }
}

impl RequestMessage for CacheItem {
    fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        iter::once(self.key.as_str())
    }

    fn value_bytes(&self) -> usize {
        self.value.len()
    }
}

impl ReplyMessage for CacheResponse {}
