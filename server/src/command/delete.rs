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

    async fn run<'a>(
        context: &Context<'a>,
        request: OneKey<'a>,
    ) -> Result<CacheResponse, Rejection> {
        let key = Key::parse(context.namespace, request.key)?;
        context.store.delete(key);
        Ok(CacheResponse { status: CacheStatus::Ok.into() })
    }
}
