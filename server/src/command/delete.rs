//! Delete: removes one value.

use tiny_cache_proto::{
    cache::{CacheResponse, CacheStatus},
    key::Key,
};

use super::{
    contract::{Command, Context},
    get::OneKey,
};
use crate::rejection::Rejection;

pub(crate) struct Delete;

impl Command for Delete {
    type Request<'a> = OneKey<'a>;
    type Reply<'a> = CacheResponse;

    const OVER_TIER: bool = true;

    async fn run<'a>(
        context: &Context<'a>,
        request: OneKey<'a>,
    ) -> Result<CacheResponse, Rejection> {
        let key = Key::parse(context.namespace, request.key)?;
        match context.through() {
            None => context.store.delete(key),
            Some(tier) => tier.delete(key).await?,
        }
        Ok(CacheResponse { status: CacheStatus::Ok.into() })
    }
}
