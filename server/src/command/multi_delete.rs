//! MultiDelete: removes many values.

use tiny_cache_proto::{
    cache::{MultiCacheKeyRequest, MultiCacheResponse},
    key::Key,
};

use super::{
    batch,
    contract::{Command, Context},
};
use crate::rejection::Rejection;

pub(crate) struct MultiDelete;

impl Command for MultiDelete {
    type Request = MultiCacheKeyRequest;
    type Reply = MultiCacheResponse;

    async fn run(
        context: &Context<'_>,
        message: MultiCacheKeyRequest,
    ) -> Result<MultiCacheResponse, Rejection> {
        let remove = |text: &str| -> Result<(), Rejection> {
            context.store.delete(Key::parse(context.namespace, text)?);
            Ok(())
        };
        let items = batch::run(context, message.keys, |key| {
            let done = remove(&key);
            batch::result(key, done)
        })
        .await?;
        Ok(MultiCacheResponse { items })
    }
}
