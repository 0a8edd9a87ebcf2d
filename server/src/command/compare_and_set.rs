//! CompareAndSet: replaces one value if it equals the expected one.

use tiny_cache_proto::{
    cache::{CompareAndSetRequest, ConditionalCacheResponse},
    key::{Key, Namespace},
};

use super::{Bounds, set_if_absent::status};
use crate::{
    rejection::Rejection,
    store::{Lane, Ttl},
};

pub(crate) fn compare_and_set(
    store: &Lane,
    _: Bounds,
    namespace: Namespace<'_>,
    message: CompareAndSetRequest,
) -> Result<ConditionalCacheResponse, Rejection> {
    let key = Key::parse(namespace, &message.key)?;
    let ttl = Ttl::from_seconds(message.ttl);
    let outcome = store.compare_and_set(key, &message.expected_value, &message.value, ttl)?;
    Ok(ConditionalCacheResponse { status: status(outcome).into() })
}
