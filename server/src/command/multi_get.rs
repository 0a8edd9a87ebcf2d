//! MultiGet: reads many values, as many as the reply can carry.

use bytes::Bytes;
use prost::{Message, encoding::encoded_len_varint};
use tiny_cache_proto::{
    cache::{CacheLookup, MultiCacheKeyRequest, MultiCacheValueResponse},
    key::{Key, Namespace},
};

use super::{Bounds, batch};
use crate::{
    rejection::Rejection,
    store::{Lane, Lookup},
};

pub(crate) fn multi_get(
    store: &Lane,
    bounds: Bounds,
    namespace: Namespace<'_>,
    message: MultiCacheKeyRequest,
) -> Result<MultiCacheValueResponse, Rejection> {
    batch::check(bounds, message.keys.len())?;
    let read =
        |text: &str| -> Result<Lookup, Rejection> { Ok(store.get(Key::parse(namespace, text)?)) };
    let items = batch::run(bounds.deadline, message.keys, |key| {
        let found = read(&key);
        lookup(key, found)
    })?;
    Ok(MultiCacheValueResponse { items: fit(items, bounds.max_reply_bytes) })
}

fn lookup(key: String, found: Result<Lookup, Rejection>) -> CacheLookup {
    match found {
        Ok(Lookup::Hit(value)) => CacheLookup { key, found: true, value, error: String::new() },
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
    use proptest::prelude::*;

    fn hit(key: &str, value: usize) -> CacheLookup {
        lookup(key.to_owned(), Ok(Lookup::Hit(Bytes::from(vec![7; value]))))
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
                .map(|&(len, found)| match found {
                    true => hit("some-key", len),
                    false => lookup("some-key".to_owned(), Ok(Lookup::Miss)),
                })
                .collect();
            let asked = items.len();
            let items = fit(items, max);
            prop_assert_eq!(items.len(), asked);
            let values = items.iter().any(|item| !item.value.is_empty());
            let reply = MultiCacheValueResponse { items };
            prop_assert!(!values || reply.encoded_len() <= max);
        }
    }
}
