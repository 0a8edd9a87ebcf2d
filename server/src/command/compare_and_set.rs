//! CompareAndSet: replaces one value if it equals the expected one.

use std::iter;

use tiny_cache_proto::{
    cache::{CompareAndSetRequest, ConditionalCacheResponse},
    key::Key,
};

use super::{
    contract::{Command, Context},
    set_if_absent::reply,
};
use crate::{call::RequestMessage, rejection::Rejection, store::Ttl};

pub(crate) struct CompareAndSet;

impl Command for CompareAndSet {
    type Request = CompareAndSetRequest;
    type Reply = ConditionalCacheResponse;

    async fn run(
        context: &Context<'_>,
        message: CompareAndSetRequest,
    ) -> Result<ConditionalCacheResponse, Rejection> {
        let key = Key::parse(context.namespace, &message.key)?;
        let CompareAndSetRequest { expected_value, value, ttl, .. } = &message;
        let ttl = Ttl::from_seconds(*ttl);
        Ok(reply(context.store.compare_and_set(key, expected_value, value, ttl)?))
    }
}

impl RequestMessage for CompareAndSetRequest {
    fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        iter::once(self.key.as_str())
    }

    fn value_bytes(&self) -> usize {
        self.value.len()
    }
}
