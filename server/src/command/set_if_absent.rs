//! SetIfAbsent: writes one value unless a live one is there.

use tiny_cache_proto::{
    cache::{ConditionalCacheResponse, ConditionalCacheStatus},
    key::Key,
};

use super::{
    contract::{Command, Context},
    set::Item,
};
use crate::{
    call::{ReplyMessage, ReplyWriter},
    rejection::Rejection,
    store::{Outcome, Ttl},
};

pub(crate) struct SetIfAbsent;

impl Command for SetIfAbsent {
    type Request<'a> = Item<'a>;
    type Reply<'a> = Outcome;

    const OVER_TIER: bool = true;

    async fn run<'a>(context: &Context<'a>, item: Item<'a>) -> Result<Outcome, Rejection> {
        let key = Key::parse(context.namespace, item.key)?;
        let ttl = Ttl::from_seconds(item.ttl);
        match context.through() {
            None => Ok(context.store.set_if_absent(key, item.value, ttl)?),
            Some(tier) => tier.set_if_absent(key, item.value, ttl).await,
        }
    }
}

impl ReplyMessage for Outcome {
    fn write(&self, message: &mut ReplyWriter) {
        let status = match self {
            Self::Stored => ConditionalCacheStatus::Stored,
            Self::Exists => ConditionalCacheStatus::Exists,
            Self::NotFound => ConditionalCacheStatus::NotFound,
            Self::Mismatch => ConditionalCacheStatus::Mismatch,
        };
        message.fields_of(&ConditionalCacheResponse { status: status.into() });
    }
}
