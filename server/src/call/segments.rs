//! Large values leave by reference count.
//!
//! tonic encodes a reply into one buffer, copies of its values included, and HTTP/2 keeps what the
//! peer's window does not let out. A peer that asks for large values on every stream and reads none
//! would pin a copy for each. So a large reply is cut into segments: the bytes between the values
//! are encoded, the values themselves are those of the store.

use bytes::{Bytes, BytesMut};
use prost::{
    Message,
    encoding::{WireType::LengthDelimited, encode_key, encode_varint, encoded_len_varint, key_len},
};
use tiny_cache_proto::PREFIX_BYTES;

/// A value from this size on is a segment of its own. Below it, copying costs less than
/// another DATA frame.
pub(crate) const LARGE: usize = 16 << 10;

/// The message of a large reply, cut at its values. Travels among the response's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segments(Vec<Bytes>);

impl Segments {
    /// The segments in their order, the first behind gRPC's frame header: no compression,
    /// and the length.
    pub(crate) fn into_frames(self) -> impl Iterator<Item = Bytes> + Send {
        let len = self.bytes();
        let mut header = BytesMut::with_capacity(PREFIX_BYTES);
        header.extend_from_slice(&[0]);
        // A reply stays below the message limit, and that below 4 GiB.
        header.extend_from_slice(&(len as u32).to_be_bytes());
        std::iter::once(header.freeze()).chain(self.0)
    }

    /// How many bytes the message has.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// The bytes of the message.
    #[cfg(test)]
    pub(crate) fn joined(&self) -> Vec<u8> {
        self.0.concat()
    }
}

/// Encodes a large reply: the bytes since the last value, and the segments so far.
#[derive(Default)]
pub(crate) struct SegmentsBuilder {
    encoded: BytesMut,
    segments: Vec<Bytes>,
}

impl SegmentsBuilder {
    /// Adds the fields of `part`, which has no large value.
    pub(crate) fn encode(&mut self, part: &impl Message) {
        part.encode(&mut self.encoded).expect("a BytesMut takes all that is written to it");
    }

    /// Begins a field that is a message of `len` bytes.
    pub(crate) fn begin_message(&mut self, field: u32, len: usize) {
        self.encoded.reserve(key_len(field) + encoded_len_varint(len as u64));
        encode_key(field, LengthDelimited, &mut self.encoded);
        encode_varint(len as u64, &mut self.encoded);
    }

    /// Adds a field of bytes without copying them.
    pub(crate) fn value(&mut self, field: u32, value: &Bytes) {
        self.begin_message(field, value.len());
        self.segments.push(self.encoded.split().freeze());
        self.segments.push(value.clone());
    }

    pub(crate) fn finish(mut self) -> Segments {
        if !self.encoded.is_empty() {
            self.segments.push(self.encoded.freeze());
        }
        Segments(self.segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_segment_of_its_own_and_no_copy() {
        let value = Bytes::from(vec![7; LARGE]);
        let mut builder = SegmentsBuilder::default();
        builder.value(2, &value);
        let segments = builder.finish();
        assert!(segments.0.iter().any(|segment| segment.as_ptr() == value.as_ptr()));
        let message = segments.joined();
        let mut frames = segments.into_frames();
        let length = (message.len() as u32).to_be_bytes();
        assert_eq!(frames.next().unwrap(), [&[0], &length[..]].concat());
        assert_eq!(frames.collect::<Vec<_>>().concat(), message);
    }
}
