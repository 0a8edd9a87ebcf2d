//! Delete: removes one value.

use tiny_cache_proto::{
    cache::{CacheKey, CacheResponse, CacheStatus},
    key::Key,
};

use super::contract::{Command, Context};
use crate::rejection::Rejection;

pub(crate) struct Delete;

impl Command for Delete {
    type Request = CacheKey;
    type Reply = CacheResponse;

    async fn run(context: &Context<'_>, message: CacheKey) -> Result<CacheResponse, Rejection> {
        let key = Key::parse(context.namespace, &message.key)?;
        context.store.delete(key);
        Ok(CacheResponse { status: CacheStatus::Ok.into() })
    }
}
