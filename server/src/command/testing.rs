//! Requests and replies beside prost, which writes and reads them for callers.

use prost::Message;
use tiny_cache_proto::{
    cache::{
        CacheItem, CacheKey, CompareAndSetRequest, Empty, MultiCacheItemRequest,
        MultiCacheKeyRequest,
    },
    v1::{
        AddRequest, BatchRequest, DescribeRequest, HotKeysRequest, InvalidateRequest, ReadRequest,
        ReleaseRequest, RemoveRequest, ScanRequest, WriteRequest,
    },
};

use super::v1::{
    AddOne, HotPage, InvalidateAll, Operations, ReadOne, ReleaseOne, RemoveOne, ScanPage, WriteOne,
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
    ReadOne: ReadRequest,
    WriteOne: WriteRequest,
    RemoveOne: RemoveRequest,
    ReleaseOne: ReleaseRequest,
    InvalidateAll: InvalidateRequest,
    AddOne: AddRequest,
    Operations: BatchRequest,
    ScanPage: ScanRequest,
    OneKey: DescribeRequest,
    HotPage: HotKeysRequest,
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
    use tiny_cache_proto::v1::{
        Condition, Operation, condition::Holds, operation::Operation as Sent,
    };

    fn item() -> impl Strategy<Value = CacheItem> {
        let value = prop::collection::vec(any::<u8>(), 0..300);
        (".{0,40}", value, any::<i32>()).prop_map(|(key, value, ttl)| CacheItem {
            key,
            value: value.into(),
            ttl,
        })
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let bytes = prop::collection::vec(any::<u8>(), 0..40);
        let holds = prop_oneof![
            any::<i32>().prop_map(Holds::Presence),
            any::<i64>().prop_map(Holds::Version),
            bytes.clone().prop_map(|bytes| Holds::Value(bytes.into())),
            bytes.prop_map(|bytes| Holds::ValueSha256(bytes.into())),
        ];
        prop::option::of(holds).prop_map(|holds| Condition { holds })
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let read = (".{0,9}", any::<bool>(), any::<i64>(), any::<Option<i64>>());
        let read = read.prop_map(|(key, exists_only, if_version_not, touch_ttl_ms)| {
            let lease = None;
            Sent::Read(ReadRequest { key, exists_only, if_version_not, touch_ttl_ms, lease })
        });
        let tags = prop::collection::vec(".{0,9}", 0..10);
        let write = (item(), any::<i64>(), prop::option::of(condition()), any::<bool>(), tags);
        let write =
            write.prop_map(|(CacheItem { key, value, .. }, ttl_ms, condition, previous, tags)| {
                let return_previous = previous;
                let lease_token = i64::from(ttl_ms as u8);
                let (stale_ms, refresh_before_ms) = (ttl_ms / 7, ttl_ms / 11);
                let write = WriteRequest {
                    key,
                    value,
                    ttl_ms,
                    condition,
                    return_previous,
                    lease_token,
                    stale_ms,
                    refresh_before_ms,
                    ttl_jitter_percent: ttl_ms as i32,
                    tags,
                };
                Sent::Write(write)
            });
        let remove = (".{0,9}", prop::option::of(condition()), any::<bool>());
        let remove = remove.prop_map(|(key, condition, return_previous)| {
            Sent::Remove(RemoveRequest { key, condition, return_previous })
        });
        let number = any::<Option<i64>>;
        let add = (".{0,9}", any::<[i64; 3]>(), any::<bool>(), number(), number(), any::<i32>());
        let add =
            add.prop_map(|(key, [delta, initial, ttl_ms], renew_ttl, least, most, at_bound)| {
                Sent::Add(AddRequest {
                    key,
                    delta,
                    initial,
                    ttl_ms,
                    renew_ttl,
                    least,
                    most,
                    at_bound,
                })
            });
        prop::option::of(prop_oneof![read, write, remove, add])
            .prop_map(|operation| Operation { operation })
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
        fn what_clients_send_to_the_second_service_is_read_in_place(
            operations in prop::collection::vec(operation(), 0..5),
        ) {
            for operation in &operations {
                let message = match operation.operation.clone() {
                    Some(Sent::Read(read)) => read.encode_to_vec(),
                    Some(Sent::Write(write)) => write.encode_to_vec(),
                    Some(Sent::Remove(remove)) => remove.encode_to_vec(),
                    Some(Sent::Add(add)) => add.encode_to_vec(),
                    None => continue,
                };
                prop_assert!(read_as_prost_does(&message) > 0);
            }
            let tags = operations.iter().map(|operation| format!("{operation:?}")).collect();
            let whole_namespace = operations.is_empty();
            let invalidate = InvalidateRequest { tags, whole_namespace }.encode_to_vec();
            prop_assert!(InvalidateAll::decode(&invalidate).is_some());
            read_as_prost_does(&invalidate);
            let batch = BatchRequest { operations }.encode_to_vec();
            prop_assert!(Operations::decode(&batch).is_some());
            read_as_prost_does(&batch);
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
        assert_eq!((OneKey::decode(&unknown), read_as_prost_does(&[])), (None, 13));
    }
}
