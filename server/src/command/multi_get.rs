//! MultiGet: reads many values, as many as the reply can carry.

use bytes::Bytes;
use prost::{Message, encoding::encoded_len_varint};
use tiny_cache_proto::{
    cache::{CacheLookup, MultiCacheKeyRequest, MultiCacheValueResponse},
    key::Key,
};

use super::{
    batch,
    contract::{Command, Context},
};
use crate::{
    call::{Facts, LARGE, Reads, ReplyMessage, RequestMessage, Segments, SegmentsBuilder},
    rejection::Rejection,
    store::Lookup,
};

pub(crate) struct MultiGet;

impl Command for MultiGet {
    type Request = MultiCacheKeyRequest;
    type Reply = MultiCacheValueResponse;

    async fn run(
        context: &Context<'_>,
        message: MultiCacheKeyRequest,
    ) -> Result<MultiCacheValueResponse, Rejection> {
        let read = |text: &str| -> Result<Lookup, Rejection> {
            Ok(context.store.get(Key::parse(context.namespace, text)?))
        };
        let items = batch::run(context, message.keys, |key| {
            let found = read(&key);
            lookup(key, found)
        })
        .await?;
        Ok(MultiCacheValueResponse { items: fit(items, context.bounds.max_reply_bytes) })
    }
}

impl RequestMessage for MultiCacheKeyRequest {
    fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }
}

impl ReplyMessage for MultiCacheValueResponse {
    fn describe(&self, facts: &mut Facts) {
        facts.reads = Reads::Many;
        for item in &self.items {
            facts.hits += u64::from(item.found);
            // An item that was refused was never looked up.
            facts.misses += u64::from(!item.found && item.error.is_empty());
            facts.value_bytes += item.value.len() as u64;
        }
    }

    fn segments(&self) -> Option<Segments> {
        if self.items.iter().all(|item| item.value.len() < LARGE) {
            return None;
        }
        let mut reply = SegmentsBuilder::default();
        for item in &self.items {
            reply.begin_message(1, item.encoded_len());
            if item.value.len() < LARGE {
                reply.encode(item);
                continue;
            }
            let CacheLookup { key, found, value, error } = item;
            reply.encode(&CacheLookup {
                key: key.clone(),
                found: *found,
                value: Bytes::new(),
                error: error.clone(),
            });
            reply.value(3, value);
        }
        Some(reply.finish())
    }
}

fn lookup(key: String, found: Result<Lookup, Rejection>) -> CacheLookup {
    match found {
        Ok(Lookup::Hit(value)) => {
            CacheLookup { key, found: true, value: value.lend(), error: String::new() }
        }
        Ok(Lookup::Miss) => CacheLookup { key, ..CacheLookup::default() },
        Err(rejection) => {
            CacheLookup { key, error: rejection.to_string(), ..CacheLookup::default() }
        }
    }
}

/// Leaves in the items whose values fit into a reply of `max` bytes, in their order, and
/// puts an error into the place of the others. The keys and the errors are sent in any case:
/// they are not much longer than the request was.
fn fit(mut items: Vec<CacheLookup>, max: usize) -> Vec<CacheLookup> {
    let mut total: usize = items.iter().map(encoded).sum();
    if total <= max {
        return items;
    }
    let error = Rejection::ReplyTooLarge { max }.to_string();
    let without_value = |item: &CacheLookup| CacheLookup {
        key: item.key.clone(),
        found: false,
        value: Bytes::new(),
        error: error.clone(),
    };
    // First come, first served; each keeps room for the errors of those behind it.
    total = items
        .iter()
        .map(|item| if item.found { encoded(&without_value(item)) } else { encoded(item) })
        .sum();
    for item in items.iter_mut().filter(|item| item.found) {
        let refused = without_value(item);
        let with_value = total - encoded(&refused) + encoded(item);
        if with_value <= max {
            total = with_value;
        } else {
            *item = refused;
        }
    }
    items
}

/// Bytes that an item takes in the reply: its tag, its length and itself.
fn encoded(item: &CacheLookup) -> usize {
    let len = item.encoded_len();
    1 + encoded_len_varint(len as u64) + len
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Value;
    use proptest::prelude::*;

    fn hit(key: &str, value: usize) -> CacheLookup {
        lookup(key.to_owned(), Ok(Lookup::Hit(Value::holding(&vec![7; value]))))
    }

    #[test]
    fn the_items_that_fit_are_answered_and_the_others_say_why_not() {
        let items = vec![hit("a", 600), hit("b", 600), hit("c", 100)];
        let fitted = fit(items, 1000);
        let found: Vec<bool> = fitted.iter().map(|item| item.found).collect();
        assert_eq!(found, [true, false, true]);
        assert_eq!(fitted[1].error, "Reply would exceed the message limit of 1000 bytes");
        assert!(fitted[1].value.is_empty());
    }

    #[test]
    fn a_reply_that_fits_is_left_alone() {
        let items = vec![hit("a", 600), lookup("b".to_owned(), Ok(Lookup::Miss))];
        assert_eq!(fit(items.clone(), 1000), items);
    }

    proptest! {
        #[test]
        fn no_reply_exceeds_the_limit(
            values in prop::collection::vec((0usize..2000, any::<bool>()), 0..40),
            max in 0usize..20_000,
        ) {
            let items: Vec<_> = values
                .iter()
                .map(|&(len, found)| {
                    let miss = || lookup("some-key".to_owned(), Ok(Lookup::Miss));
                    if found { hit("some-key", len) } else { miss() }
                })
                .collect();
            let asked = items.len();
            let items = fit(items, max);
            prop_assert_eq!(items.len(), asked);
            let values = items.iter().any(|item| !item.value.is_empty());
            let reply = MultiCacheValueResponse { items };
            prop_assert!(!values || reply.encoded_len() <= max);
        }

        #[test]
        fn segments_add_up_to_the_encoded_message(
            items in prop::collection::vec(
                ("[a-z]{0,8}", any::<bool>(), 0usize..3 * LARGE, "[a-z]{0,8}"),
                0..8,
            ),
        ) {
            let items = items.into_iter().map(|(key, found, len, error)| CacheLookup {
                key,
                found,
                value: Bytes::from(vec![7; len]),
                error,
            });
            let reply = MultiCacheValueResponse { items: items.collect() };
            if let Some(segments) = reply.segments() {
                // The order of fields within a message is free.
                let message = segments.joined();
                prop_assert_eq!(message.len(), reply.encoded_len());
                prop_assert_eq!(MultiCacheValueResponse::decode(&message[..]).unwrap(), reply);
            }
        }
    }
}
