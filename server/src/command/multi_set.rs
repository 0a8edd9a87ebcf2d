//! MultiSet: writes many values.

use tiny_cache_proto::{
    cache::{CacheItem, MultiCacheItemRequest, MultiCacheResponse},
    key::Key,
};

use super::{
    batch,
    contract::{Command, Context},
};
use crate::{
    call::{ReplyMessage, RequestMessage},
    rejection::Rejection,
    store::Ttl,
};

pub(crate) struct MultiSet;

impl Command for MultiSet {
    type Request = MultiCacheItemRequest;
    type Reply = MultiCacheResponse;

    async fn run(
        context: &Context<'_>,
        message: MultiCacheItemRequest,
    ) -> Result<MultiCacheResponse, Rejection> {
        let write = |item: &CacheItem| -> Result<(), Rejection> {
            let key = Key::parse(context.namespace, &item.key)?;
            Ok(context.store.set(key, &item.value, Ttl::from_seconds(item.ttl))?)
        };
        let items = batch::run(context, message.items, |item| {
            let done = write(&item);
            batch::result(item.key, done)
        })
        .await?;
        Ok(MultiCacheResponse { items })
    }
}

impl RequestMessage for MultiCacheItemRequest {
    fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.items.iter().map(|item| item.key.as_str())
    }

    fn value_bytes(&self) -> usize {
        self.items.iter().map(|item| item.value.len()).sum()
    }
}

impl ReplyMessage for MultiCacheResponse {}
