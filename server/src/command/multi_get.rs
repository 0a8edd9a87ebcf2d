//! MultiGet: reads many values, as many as the reply can carry.

use tiny_cache_proto::{cache::MultiCacheKeyRequest, key::Key};

use super::{
    batch,
    contract::{Command, Context},
    through::Through,
};
use crate::{
    call::{Facts, Reads, ReplyMessage, ReplyWriter, RequestMessage, each_field, field_len},
    rejection::Rejection,
    store::{Lookup, Value},
    tier,
};

pub(crate) struct MultiGet;

/// The keys of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys<'a> {
    pub(super) keys: Vec<&'a str>,
}

/// What was found, in the order of the keys.
#[derive(Debug)]
pub(crate) struct Lookups<'a>(Vec<KeyLookup<'a>>);

#[derive(Clone, Debug)]
struct KeyLookup<'a> {
    key: &'a str,
    value: Option<Value>,
    /// Why it was not looked up, or is not sent; else empty.
    error: String,
}

impl Command for MultiGet {
    type Request<'a> = Keys<'a>;
    type Reply<'a> = Lookups<'a>;

    const OVER_TIER: bool = true;

    async fn run<'a>(context: &Context<'a>, request: Keys<'a>) -> Result<Lookups<'a>, Rejection> {
        if let Some(tier) = context.through() {
            return through_tier(context, tier, &request.keys).await;
        }
        let items = batch::run(context, &request.keys, |group, items| {
            let keys = group.iter().map(|key| Key::parse(context.namespace, key));
            let found = context.store.locate_all(keys);
            items.extend(group.iter().zip(found).map(|(key, found)| match found {
                Ok(place) => KeyLookup::of(key, context.store.get_at(place)),
                Err(invalid) => KeyLookup::refused(key, invalid.to_string()),
            }));
        });
        Ok(Lookups(fit(items.await?, context.bounds.max_reply_bytes)))
    }

    fn near<'a>(context: &Context<'a>, request: &Keys<'a>) -> Option<Lookups<'a>> {
        batch::check(context, request.keys.len()).ok()?;
        let parsed = request.keys.iter().map(|key| Key::parse(context.namespace, key));
        let parsed = parsed.collect::<Result<Vec<_>, _>>().ok()?;
        // All of them first: those that are near would else be used twice, here and on the long way.
        if !parsed.iter().all(|key| tier::is_near(context.store, *key)) {
            return None;
        }
        let near = parsed.into_iter().map(|key| tier::near(context.store, key));
        let found = near.collect::<Option<Vec<_>>>()?;
        let items = request.keys.iter().zip(found).map(|(key, found)| KeyLookup::of(key, found));
        Some(Lookups(fit(items.collect(), context.bounds.max_reply_bytes)))
    }
}

async fn through_tier<'a>(
    context: &Context<'a>,
    tier: Through<'a>,
    keys: &[&'a str],
) -> Result<Lookups<'a>, Rejection> {
    batch::check(context, keys.len())?;
    let parsed = keys.iter().map(|key| Key::parse(context.namespace, key));
    let found = tier.get_all(parsed).await;
    let items = keys.iter().zip(found).map(|(key, found)| match found {
        Ok(found) => KeyLookup::of(key, found),
        Err(invalid) => KeyLookup::refused(key, invalid.to_string()),
    });
    Ok(Lookups(fit(items.collect(), context.bounds.max_reply_bytes)))
}

impl<'a> From<&'a MultiCacheKeyRequest> for Keys<'a> {
    fn from(message: &'a MultiCacheKeyRequest) -> Self {
        Self { keys: message.keys.iter().map(String::as_str).collect() }
    }
}

impl<'a> RequestMessage<'a> for Keys<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match number {
                1 => request.keys.push(field.text()?),
                _ => return None,
            }
            Some(())
        })?;
        Some(request)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        self.keys.iter().copied()
    }
}

impl ReplyMessage for Lookups<'_> {
    fn describe(&self, facts: &mut Facts) {
        facts.reads = Reads::Many;
        for KeyLookup { value, error, .. } in &self.0 {
            facts.hits += u64::from(value.is_some());
            // An item that was refused was never looked up.
            facts.misses += u64::from(value.is_none() && error.is_empty());
            facts.value_bytes += value.as_ref().map_or(0, |value| value.len() as u64);
        }
    }

    fn write(&self, message: &mut ReplyWriter) {
        for item in &self.0 {
            message.begin_message(1, item.len());
            message.text(1, item.key);
            if let Some(value) = &item.value {
                message.number(2, 1);
                message.value(3, value, || value.lend());
            }
            message.text(4, &item.error);
        }
    }
}

impl<'a> KeyLookup<'a> {
    fn of(key: &'a str, found: Lookup) -> Self {
        let value = match found {
            Lookup::Hit(value) => Some(value),
            Lookup::Miss => None,
        };
        Self { key, value, error: String::new() }
    }

    fn refused(key: &'a str, error: String) -> Self {
        Self { key, value: None, error }
    }

    /// Bytes of its message.
    fn len(&self) -> usize {
        const FOUND: usize = 2;
        let value = self.value.as_ref().map_or(0, |value| FOUND + field_len(value.len()));
        field_len(self.key.len()) + value + field_len(self.error.len())
    }

    /// Bytes that it takes in the reply: its tag, its length and itself.
    fn len_in_reply(&self) -> usize {
        // The message of an empty key has an error at least.
        field_len(self.len())
    }
}

/// Leaves in the items whose values fit into a reply of `max` bytes, in their order, and
/// puts an error into the place of the others. The keys and the errors are sent in any case:
/// they are not much longer than the request was.
fn fit(mut items: Vec<KeyLookup<'_>>, max: usize) -> Vec<KeyLookup<'_>> {
    let mut total: usize = items.iter().map(KeyLookup::len_in_reply).sum();
    if total <= max {
        return items;
    }
    let error = Rejection::ReplyTooLarge { max }.to_string();
    let without_value =
        |item: &KeyLookup<'_>| KeyLookup::refused(item.key, error.clone()).len_in_reply();
    // First come, first served; each keeps room for the errors of those behind it.
    total = items
        .iter()
        .map(|item| if item.value.is_some() { without_value(item) } else { item.len_in_reply() })
        .sum();
    for item in items.iter_mut().filter(|item| item.value.is_some()) {
        let with_value = total - without_value(item) + item.len_in_reply();
        if with_value <= max {
            total = with_value;
        } else {
            *item = KeyLookup::refused(item.key, error.clone());
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::{super::testing::written, *};
    use proptest::prelude::*;
    use tiny_cache_proto::cache::{CacheLookup, MultiCacheValueResponse};

    fn hit(key: &str, value: usize) -> KeyLookup<'_> {
        KeyLookup::of(key, Lookup::Hit(Value::holding(&vec![7; value])))
    }

    fn found(items: &[KeyLookup<'_>]) -> Vec<bool> {
        items.iter().map(|item| item.value.is_some()).collect()
    }

    #[test]
    fn the_items_that_fit_are_answered_and_the_others_say_why_not() {
        let fitted = fit(vec![hit("a", 600), hit("b", 600), hit("c", 100)], 1000);
        assert_eq!(found(&fitted), [true, false, true]);
        assert_eq!(fitted[1].error, "Reply would exceed the message limit of 1000 bytes");
    }

    #[test]
    fn a_reply_that_fits_is_left_alone() {
        let fitted = fit(vec![hit("a", 600), KeyLookup::of("b", Lookup::Miss)], 1000);
        assert_eq!(found(&fitted), [true, false]);
        assert!(fitted.iter().all(|item| item.error.is_empty()));
    }

    proptest! {
        #[test]
        fn no_reply_exceeds_the_limit(
            values in prop::collection::vec((0usize..2000, any::<bool>()), 0..40),
            max in 0usize..20_000,
        ) {
            let miss = || KeyLookup::of("some-key", Lookup::Miss);
            let item = |&(len, found)| if found { hit("some-key", len) } else { miss() };
            let items = fit(values.iter().map(item).collect(), max);
            prop_assert_eq!(items.len(), values.len());
            let has_values = found(&items).contains(&true);
            let mut writer = ReplyWriter::new();
            Lookups(items).write(&mut writer);
            prop_assert!(!has_values || writer.len() <= max);
        }

        #[test]
        fn a_reply_is_the_contracts_message(
            items in prop::collection::vec(
                ("[a-z]{0,8}", any::<bool>(), 0usize..40_000, "[a-z]{0,8}"),
                0..8,
            ),
        ) {
            let lookups = items.iter().map(|(key, found, len, error)| {
                let value = found.then(|| Value::holding(&vec![7; *len]));
                KeyLookup { key, value, error: error.clone() }
            });
            let reply: MultiCacheValueResponse = written(&Lookups(lookups.collect()));
            let items = items.iter().map(|(key, found, len, error)| CacheLookup {
                key: key.clone(),
                found: *found,
                value: vec![7; if *found { *len } else { 0 }].into(),
                error: error.clone(),
            });
            prop_assert_eq!(reply, MultiCacheValueResponse { items: items.collect() });
        }
    }
}
