//! MultiSet: writes many values.

use tiny_cache_proto::cache::MultiCacheItemRequest;

use super::{
    batch::{self, Results},
    contract::{Command, Context},
    set::Item,
};
use crate::{
    call::{Field, RequestMessage, each_field},
    rejection::Rejection,
    store::Ttl,
};

pub(crate) struct MultiSet;

/// The items of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Items<'a> {
    items: Vec<Item<'a>>,
}

impl Command for MultiSet {
    type Request<'a> = Items<'a>;
    type Reply<'a> = Results<'a>;

    const OVER_TIER: bool = true;

    async fn run<'a>(context: &Context<'a>, request: Items<'a>) -> Result<Results<'a>, Rejection> {
        if let Some(tier) = context.through() {
            let begin = |item: Item<'a>, key| {
                let ttl = Ttl::from_seconds(item.ttl);
                Ok(tier.set(key, item.value, ttl)?)
            };
            return batch::write_through(context, &request.items, |item| item.key, begin).await;
        }
        batch::write(
            context,
            &request.items,
            |item| item.key,
            |item, place| {
                Ok(context.store.set_at(place, item.value, Ttl::from_seconds(item.ttl))?)
            },
        )
        .await
    }
}

impl<'a> From<&'a MultiCacheItemRequest> for Items<'a> {
    fn from(message: &'a MultiCacheItemRequest) -> Self {
        Self { items: message.items.iter().map(Item::from).collect() }
    }
}

impl<'a> RequestMessage<'a> for Items<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, Field::Bytes(item)) => request.items.push(Item::decode(item)?),
                _ => return None,
            }
            Some(())
        })?;
        Some(request)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        self.items.iter().map(|item| item.key)
    }

    fn value_bytes(&self) -> usize {
        self.items.iter().map(|item| item.value.len()).sum()
    }
}
