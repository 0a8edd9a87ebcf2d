//! Encodes the message of a call into the bytes of its DATA frames: gRPC's prefix of five bytes,
//! then the fields in protobuf's encoding.
//!
//! Hand-written so that keys are borrowed from the caller's `&str`, and large values are sent
//! from the caller's [`Bytes`] without a copy. A test compares every message with prost's
//! encoding.

use std::{iter, mem};

use bytes::{BufMut, Bytes, BytesMut};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};
use tiny_cache_proto::PREFIX_BYTES;

/// Values of at least this size are sent by reference. Copying a smaller one is cheaper than a
/// DATA frame of its own.
const BY_REFERENCE: usize = 16 * 1024;

/// A field of a message. A default value takes no bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Text(&'a str),
    Bytes(&'a Bytes),
    Int32(i32),
    /// An element of `repeated string`: sent even when empty.
    Element(&'a str),
    /// A nested message, with its fields numbered from 1.
    Message(&'a [Field<'a>]),
}

impl Field<'_> {
    fn is_default(self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Int32(number) => number == 0,
            Self::Element(_) | Self::Message(_) => false,
        }
    }

    /// Its length without tag and length prefix.
    fn content_len(self) -> usize {
        match self {
            Self::Text(text) | Self::Element(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Int32(number) => encoded_len_varint(sign_extended(number)),
            Self::Message(fields) => fields_len(numbered(fields)),
        }
    }

    fn encoded_len(self, tag: u32) -> usize {
        if self.is_default() {
            return 0;
        }
        let content = self.content_len();
        let length =
            if matches!(self, Self::Int32(_)) { 0 } else { encoded_len_varint(content as u64) };
        key_len(tag) + length + content
    }
}

/// protobuf sends a negative `int32` as ten bytes.
#[expect(clippy::cast_sign_loss, reason = "the bits are what is sent")]
fn sign_extended(number: i32) -> u64 {
    i64::from(number) as u64
}

/// Fields with their numbers, from 1.
fn numbered<'a>(fields: &'a [Field<'a>]) -> impl Iterator<Item = (u32, Field<'a>)> + Clone {
    (1..).zip(fields.iter().copied())
}

fn fields_len<'a>(fields: impl Iterator<Item = (u32, Field<'a>)>) -> usize {
    fields.map(|(tag, field)| field.encoded_len(tag)).sum()
}

/// A message that is too long for gRPC's 32-bit length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    pub(crate) bytes: usize,
}

/// The bytes to send, in order. Never empty.
#[derive(Debug)]
pub struct Frames {
    first: Bytes,
    rest: Vec<Bytes>,
}

impl Frames {
    /// Encodes a message whose fields are numbered from 1.
    pub(crate) fn of_message(fields: &[Field<'_>]) -> Result<Self, TooLong> {
        Self::encode(numbered(fields))
    }

    /// Encodes a message of the second service. Its values are copied, large ones too.
    pub(crate) fn of_prost(message: &impl Message) -> Result<Self, TooLong> {
        let len = message.encoded_len();
        let mut buffer = BytesMut::with_capacity(PREFIX_BYTES + len);
        buffer.put_u8(0);
        buffer.put_u32(u32::try_from(len).map_err(|_| TooLong { bytes: len })?);
        message.encode_raw(&mut buffer);
        Ok(Self { first: buffer.freeze(), rest: Vec::new() })
    }

    /// Encodes a message whose only field is repeated.
    pub(crate) fn of_repeated(fields: &[Field<'_>]) -> Result<Self, TooLong> {
        Self::encode(iter::repeat(1).zip(fields.iter().copied()))
    }

    fn encode<'a>(fields: impl Iterator<Item = (u32, Field<'a>)> + Clone) -> Result<Self, TooLong> {
        let len = fields_len(fields.clone());
        let mut out = Writer {
            // The exact size: a buffer with spare room is reallocated when it becomes `Bytes`.
            buffer: BytesMut::with_capacity(PREFIX_BYTES + len - by_reference(fields.clone())),
            frames: Vec::new(),
        };
        out.buffer.put_u8(0);
        out.buffer.put_u32(u32::try_from(len).map_err(|_| TooLong { bytes: len })?);
        for (tag, field) in fields {
            out.field(tag, field);
        }
        Ok(out.finish())
    }

    /// The bytes, each with whether it is the last.
    pub(crate) fn into_iter_with_last(self) -> impl Iterator<Item = (Bytes, bool)> {
        let last = self.rest.len();
        iter::once(self.first)
            .chain(self.rest)
            .enumerate()
            .map(move |(n, bytes)| (bytes, n == last))
    }
}

/// How many bytes of the fields are sent by reference.
fn by_reference<'a>(fields: impl Iterator<Item = (u32, Field<'a>)>) -> usize {
    fields
        .map(|(_, field)| match field {
            Field::Bytes(bytes) if bytes.len() >= BY_REFERENCE => bytes.len(),
            Field::Message(fields) => by_reference(numbered(fields)),
            Field::Text(_) | Field::Bytes(_) | Field::Int32(_) | Field::Element(_) => 0,
        })
        .sum()
}

struct Writer {
    buffer: BytesMut,
    frames: Vec<Bytes>,
}

impl Writer {
    fn field(&mut self, tag: u32, field: Field<'_>) {
        if field.is_default() {
            return;
        }
        if let Field::Int32(number) = field {
            encode_key(tag, WireType::Varint, &mut self.buffer);
            encode_varint(sign_extended(number), &mut self.buffer);
            return;
        }
        encode_key(tag, WireType::LengthDelimited, &mut self.buffer);
        encode_varint(field.content_len() as u64, &mut self.buffer);
        match field {
            Field::Int32(_) => {}
            Field::Text(text) | Field::Element(text) => self.buffer.put_slice(text.as_bytes()),
            Field::Bytes(bytes) if bytes.len() >= BY_REFERENCE => self.reference(bytes),
            Field::Bytes(bytes) => self.buffer.put_slice(bytes),
            Field::Message(fields) => {
                for (tag, field) in numbered(fields) {
                    self.field(tag, field);
                }
            }
        }
    }

    fn reference(&mut self, bytes: &Bytes) {
        // The rest of the buffer's capacity stays with the next part.
        let written = self.buffer.split();
        self.frames.push(written.freeze());
        self.frames.push(bytes.clone());
    }

    fn finish(mut self) -> Frames {
        let tail = mem::take(&mut self.buffer).freeze();
        if self.frames.is_empty() {
            return Frames { first: tail, rest: Vec::new() };
        }
        if !tail.is_empty() {
            self.frames.push(tail);
        }
        let rest = self.frames.split_off(1);
        Frames { first: self.frames.remove(0), rest }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use tiny_cache_proto::cache::{
        CacheItem, CacheKey, CompareAndSetRequest, Empty, MultiCacheItemRequest,
        MultiCacheKeyRequest,
    };

    use super::*;

    fn joined(frames: Frames) -> Vec<u8> {
        frames.into_iter_with_last().flat_map(|(bytes, _)| bytes).collect()
    }

    fn expected(message: &impl Message) -> Vec<u8> {
        let body = message.encode_to_vec();
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[0][..], &len, &body].concat()
    }

    /// Values on both sides of the border between copy and reference.
    fn value() -> impl Strategy<Value = Bytes> {
        prop_oneof![0usize..300, BY_REFERENCE - 2..BY_REFERENCE + 2]
            .prop_map(|len| Bytes::from(vec![0xA5; len]))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn single_messages_are_those_of_prost(
            key in any::<String>(), value in value(), expected_value in value(), ttl in any::<i32>()
        ) {
            prop_assert_eq!(
                joined(Frames::of_message(&[Field::Text(&key)]).unwrap()),
                expected(&CacheKey { key: key.clone() })
            );
            prop_assert_eq!(
                joined(Frames::of_message(
                    &[Field::Text(&key), Field::Bytes(&value), Field::Int32(ttl)]
                ).unwrap()),
                expected(&CacheItem { key: key.clone(), value: value.clone(), ttl })
            );
            let fields = [
                Field::Text(&key), Field::Bytes(&expected_value), Field::Bytes(&value),
                Field::Int32(ttl),
            ];
            prop_assert_eq!(
                joined(Frames::of_message(&fields).unwrap()),
                expected(&CompareAndSetRequest { key, expected_value, value, ttl })
            );
        }

        #[test]
        fn batches_are_those_of_prost(
            items in vec((any::<String>(), value(), any::<i32>()), 0..8)
        ) {
            let keys: Vec<_> = items.iter().map(|(key, _, _)| Field::Element(key)).collect();
            prop_assert_eq!(
                joined(Frames::of_repeated(&keys).unwrap()),
                expected(&MultiCacheKeyRequest {
                    keys: items.iter().map(|(key, _, _)| key.clone()).collect()
                })
            );
            let fields: Vec<_> = items.iter().map(|(key, value, ttl)| {
                [Field::Text(key), Field::Bytes(value), Field::Int32(*ttl)]
            }).collect();
            let messages: Vec<_> = fields.iter().map(|item| Field::Message(item)).collect();
            prop_assert_eq!(
                joined(Frames::of_repeated(&messages).unwrap()),
                expected(&MultiCacheItemRequest {
                    items: items.iter().map(|(key, value, ttl)| {
                        CacheItem { key: key.clone(), value: value.clone(), ttl: *ttl }
                    }).collect()
                })
            );
        }
    }

    #[test]
    fn an_empty_message_is_a_prefix() {
        assert_eq!(joined(Frames::of_message(&[]).unwrap()), expected(&Empty {}));
    }

    #[test]
    fn a_large_value_is_sent_where_it_lies() {
        let value = Bytes::from(vec![7; BY_REFERENCE]);
        let frames = Frames::of_message(&[Field::Text("k"), Field::Bytes(&value), Field::Int32(9)]);
        let parts: Vec<_> = frames.unwrap().into_iter_with_last().collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[1].0.as_ptr(), value.as_ptr());
        assert_eq!(parts.iter().map(|(_, last)| *last).collect::<Vec<_>>(), [false, false, true]);
    }
}
