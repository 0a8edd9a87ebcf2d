//! Large values leave by reference count.
//!
//! tonic encodes a reply into one buffer, copies of its values included, and HTTP/2 keeps
//! what the peer's window does not let out. A peer that asks for large values on every
//! stream and reads none would pin a copy for each. So a large reply is cut into segments:
//! the bytes between the values are encoded, the values themselves are those of the store.

use bytes::{Bytes, BytesMut};
use prost::{
    Message,
    encoding::{WireType::LengthDelimited, encode_key, encode_varint, encoded_len_varint, key_len},
};
use tiny_cache_proto::cache::{
    CacheLookup, CacheResponse, CacheStats, CacheValue, ConditionalCacheResponse,
    MultiCacheResponse, MultiCacheValueResponse,
};

use super::facts::Describe;

/// A value from this size on is a segment of its own. Below it, copying costs less than
/// another DATA frame.
const LARGE: usize = 16 << 10;

/// The message of a large reply, cut at its values. Travels among the response's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segments(Vec<Bytes>);

impl Segments {
    /// The segments in their order, the first behind gRPC's frame header: no compression,
    /// and the length.
    pub(super) fn into_frames(self) -> impl Iterator<Item = Bytes> + Send {
        let len: usize = self.0.iter().map(Bytes::len).sum();
        let mut header = BytesMut::with_capacity(5);
        header.extend_from_slice(&[0]);
        // A reply stays below the message limit, and that below 4 GiB.
        header.extend_from_slice(&(len as u32).to_be_bytes());
        std::iter::once(header.freeze()).chain(self.0)
    }
}

/// A reply that knows its large values.
pub(crate) trait Reply: Message + Describe {
    /// The message in segments; `None` when it has no large value.
    fn segments(&self) -> Option<Segments> {
        None
    }
}

impl Reply for CacheResponse {}
impl Reply for ConditionalCacheResponse {}
impl Reply for MultiCacheResponse {}
impl Reply for CacheStats {}

impl Reply for CacheValue {
    fn segments(&self) -> Option<Segments> {
        if self.value.len() < LARGE {
            return None;
        }
        let mut cut = Cut::default();
        cut.encode(&CacheValue { found: self.found, value: Bytes::new() });
        cut.value(2, &self.value);
        Some(cut.finish())
    }
}

impl Reply for MultiCacheValueResponse {
    fn segments(&self) -> Option<Segments> {
        if self.items.iter().all(|item| item.value.len() < LARGE) {
            return None;
        }
        let mut cut = Cut::default();
        for item in &self.items {
            cut.begin_message(1, item.encoded_len());
            if item.value.len() < LARGE {
                cut.encode(item);
                continue;
            }
            let CacheLookup { key, found, value, error } = item;
            cut.encode(&CacheLookup {
                key: key.clone(),
                found: *found,
                value: Bytes::new(),
                error: error.clone(),
            });
            cut.value(3, value);
        }
        Some(cut.finish())
    }
}

/// A message under way: what is encoded since the last value, and what is cut off.
#[derive(Default)]
struct Cut {
    encoded: BytesMut,
    segments: Vec<Bytes>,
}

impl Cut {
    fn encode(&mut self, part: &impl Message) {
        part.encode(&mut self.encoded).expect("a BytesMut takes all that is written to it");
    }

    /// Begins a field that is a message of `len` bytes.
    fn begin_message(&mut self, field: u32, len: usize) {
        self.encoded.reserve(key_len(field) + encoded_len_varint(len as u64));
        encode_key(field, LengthDelimited, &mut self.encoded);
        encode_varint(len as u64, &mut self.encoded);
    }

    /// Adds a field of bytes without copying them.
    fn value(&mut self, field: u32, value: &Bytes) {
        self.begin_message(field, value.len());
        self.segments.push(self.encoded.split().freeze());
        self.segments.push(value.clone());
    }

    fn finish(mut self) -> Segments {
        if !self.encoded.is_empty() {
            self.segments.push(self.encoded.freeze());
        }
        Segments(self.segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(segments: Segments) -> Bytes {
        let mut message = BytesMut::new();
        segments.into_frames().for_each(|segment| message.extend_from_slice(&segment));
        message.freeze()
    }

    /// What gRPC puts on the wire for a message.
    fn framed(message: &impl Message) -> Bytes {
        let mut framed = BytesMut::from(&[0][..]);
        framed.extend_from_slice(&(message.encoded_len() as u32).to_be_bytes());
        framed.extend_from_slice(&message.encode_to_vec());
        framed.freeze()
    }

    #[test]
    fn a_large_value_is_the_stores_own_and_no_copy() {
        let value = Bytes::from(vec![7; LARGE]);
        let reply = CacheValue { found: true, value: value.clone() };
        let Segments(segments) = reply.segments().unwrap();
        assert!(segments.iter().any(|segment| segment.as_ptr() == value.as_ptr()));
        assert_eq!(joined(reply.segments().unwrap()), framed(&reply));
    }

    #[test]
    fn a_small_reply_is_left_to_tonic() {
        let value = Bytes::from(vec![7; LARGE - 1]);
        assert_eq!(CacheValue { found: true, value }.segments(), None);
        assert_eq!(MultiCacheValueResponse::default().segments(), None);
    }

    proptest! {
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
                // The order of fields within a message is free; a decoder tells no difference.
                let message = joined(segments);
                prop_assert_eq!(message.len(), framed(&reply).len());
                let decoded = MultiCacheValueResponse::decode(message.slice(5..));
                prop_assert_eq!(decoded.unwrap(), reply);
            }
        }
    }
}
