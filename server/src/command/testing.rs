//! Requests and replies beside prost, which writes and reads them for callers.

use prost::Message;
use tiny_cache_proto::cache::{
    CacheItem, CacheKey, CompareAndSetRequest, Empty, MultiCacheItemRequest, MultiCacheKeyRequest,
};

use super::{
    compare_and_set::Swap, get::OneKey, multi_get::Keys, multi_set::Items, set::Item,
    stats::Nothing,
};
use crate::call::RequestMessage;

macro_rules! requests {
    ($($request:ident: $message:ident,)*) => {
        /// Reads bytes as each request in turn. Returns how many of them they are.
        ///
        /// # Panics
        /// Prost reads no message, or another one, where one was read in place.
        pub(crate) fn read_as_prost_does(bytes: &[u8]) -> usize {
            let mut read = 0;
            $(
                if let Some(request) = $request::decode(bytes) {
                    let message = $message::decode(bytes).expect("prost reads it too");
                    assert_eq!(request, $request::from(&message));
                    read += 1;
                }
            )*
            read
        }
    };
}

requests! {
    OneKey: CacheKey,
    Item: CacheItem,
    Swap: CompareAndSetRequest,
    Keys: MultiCacheKeyRequest,
    Items: MultiCacheItemRequest,
    Nothing: Empty,
}

#[cfg(test)]
pub(super) use self::replies::written;

#[cfg(test)]
mod replies {
    use prost::Message;
    use tiny_cache_proto::PREFIX_BYTES;

    use crate::call::{ReplyMessage, ReplyWriter};

    /// A reply, written and read again.
    pub(in super::super) fn written<M: Message + Default>(reply: &impl ReplyMessage) -> M {
        let mut writer = ReplyWriter::new();
        reply.write(&mut writer);
        let len = writer.len();
        let message = writer.take().into_frames().collect::<Vec<_>>().concat();
        assert_eq!(message[..PREFIX_BYTES], [&[0], &(len as u32).to_be_bytes()[..]].concat());
        M::decode(&message[PREFIX_BYTES..]).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item() -> impl Strategy<Value = CacheItem> {
        let value = prop::collection::vec(any::<u8>(), 0..300);
        (".{0,40}", value, any::<i32>()).prop_map(|(key, value, ttl)| CacheItem {
            key,
            value: value.into(),
            ttl,
        })
    }

    /// Fields as no client writes them: repeated, unknown, of a wrong kind, cut short.
    fn field() -> impl Strategy<Value = Vec<u8>> {
        let content = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6),
            "[a-zé]{0,3}".prop_map(|text| [&[text.len() as u8], text.as_bytes()].concat()),
        ];
        (0u8..6, 0u8..8, content)
            .prop_map(|(number, kind, content)| [&[number << 3 | kind], &content[..]].concat())
    }

    proptest! {
        #[test]
        fn what_clients_send_is_read_in_place(
            items in prop::collection::vec(item(), 0..4),
            expected in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            for CacheItem { key, value, ttl } in &items {
                let (key, value, ttl) = (key.clone(), value.clone(), *ttl);
                let expected_value = expected.clone().into();
                let swap = CompareAndSetRequest { key, expected_value, value, ttl };
                prop_assert!(Swap::decode(&swap.encode_to_vec()).is_some());
                read_as_prost_does(&swap.encode_to_vec());
            }
            for item in &items {
                let key = CacheKey { key: item.key.clone() };
                prop_assert!(OneKey::decode(&key.encode_to_vec()).is_some());
                prop_assert!(Item::decode(&item.encode_to_vec()).is_some());
                read_as_prost_does(&item.encode_to_vec());
            }
            let keys = items.iter().map(|item| item.key.clone()).collect();
            let keys = MultiCacheKeyRequest { keys }.encode_to_vec();
            prop_assert!(Keys::decode(&keys).is_some());
            let items = MultiCacheItemRequest { items }.encode_to_vec();
            prop_assert!(Items::decode(&items).is_some());
            read_as_prost_does(&keys);
            read_as_prost_does(&items);
        }

        #[test]
        fn what_no_client_sends_is_read_as_prost_reads_it_or_not_at_all(
            fields in prop::collection::vec(field(), 0..5),
        ) {
            read_as_prost_does(&fields.concat());
        }
    }

    #[test]
    fn the_last_of_repeated_fields_counts_and_unknown_ones_take_the_long_way() {
        let twice = [&[0x0a, 1, b'a', 0x0a, 1, b'b'][..], &[0x18, 7]].concat();
        assert_eq!(Item::decode(&twice), Some(Item { key: "b", value: b"", ttl: 7 }));
        let unknown = [&[0x0a, 1, b'a'][..], &[0x78, 1]].concat();
        assert_eq!((OneKey::decode(&unknown), read_as_prost_does(&[])), (None, 6));
    }
}
