//! Writes the message of a reply. Small values are copied, large ones leave by reference count.
//!
//! HTTP/2 keeps what the peer's window does not let out. A peer that asks for large values on every
//! stream and reads none would pin a copy for each. So a reply is cut at its large values, and those
//! are the store's own.

use bytes::Bytes;
use prost::{
    Message,
    encoding::{
        WireType::{LengthDelimited, Varint},
        encode_key, encode_varint, encoded_len_varint,
    },
};
use tiny_cache_proto::PREFIX_BYTES;

use crate::pinned::{Copied, LENT_BYTES};

/// A value from this size on is lent. Below it, copying costs less than another DATA frame.
pub(crate) const LARGE: usize = LENT_BYTES;

/// Most bytes of a number, with that of its field before it.
const LONGEST_NUMBER: usize = 11;

/// Memory that a writer keeps for the next reply.
const KEPT_BYTES: usize = 64 << 10;

/// The message of a reply as it is written, behind gRPC's prefix. As protobuf has it in its third
/// version, fields at their default are left out.
#[derive(Debug)]
pub(crate) struct ReplyWriter {
    /// The prefix, and everything but the values that are lent.
    bytes: Vec<u8>,
    /// What is lent, with the length that `bytes` had before it.
    lent: Vec<(usize, Bytes)>,
}

/// A reply's message behind its prefix, cut at its large values. Travels among the response's
/// extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segments(Vec<Bytes>);

impl ReplyWriter {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; PREFIX_BYTES], lent: Vec::new() }
    }

    /// Forgets what was written.
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(PREFIX_BYTES);
        self.bytes.shrink_to(KEPT_BYTES);
        self.lent = Vec::new();
    }

    /// Adds the fields of a message.
    pub(crate) fn fields_of(&mut self, message: &impl Message) {
        message.encode(&mut self.bytes).expect("a Vec takes all that is written to it");
    }

    /// Begins a field that is a message of `len` bytes.
    pub(crate) fn begin_message(&mut self, field: u32, len: usize) {
        encode_key(field, LengthDelimited, &mut self.bytes);
        encode_varint(len as u64, &mut self.bytes);
    }

    pub(crate) fn number(&mut self, field: u32, number: u64) {
        if number != 0 {
            encode_key(field, Varint, &mut self.bytes);
            encode_varint(number, &mut self.bytes);
        }
    }

    /// Adds numbers, each with that of its field, which is below 16. Done by hand, as a reply may
    /// have some of them that are long: prost looks for room for each of their bytes.
    pub(crate) fn numbers<const N: usize>(&mut self, fields: [(u32, u64); N]) {
        const MOST: usize = 8 * LONGEST_NUMBER;
        const { assert!(N <= 8) };
        let (mut bytes, mut len) = ([0_u8; MOST], 0);
        for (field, number) in fields {
            if number == 0 {
                continue;
            }
            let mut rest = number;
            bytes[len] = (field as u8) << 3;
            len += 1;
            while rest >= 0x80 {
                bytes[len] = rest as u8 | 0x80;
                len += 1;
                rest >>= 7;
            }
            bytes[len] = rest as u8;
            len += 1;
        }
        self.bytes.extend_from_slice(&bytes[..len]);
    }

    pub(crate) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.begin_message(field, text.len());
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// Adds a field of bytes: a copy, or what `lend` returns if they are many.
    pub(crate) fn value(&mut self, field: u32, value: &[u8], lend: impl FnOnce() -> Bytes) {
        if value.is_empty() {
            return;
        }
        self.begin_message(field, value.len());
        if value.len() < LARGE {
            self.bytes.extend_from_slice(value);
        } else {
            self.lent.push((self.bytes.len(), lend()));
        }
    }

    /// Bytes of the message.
    pub(crate) fn len(&self) -> usize {
        let lent: usize = self.lent.iter().map(|(_, value)| value.len()).sum();
        self.bytes.len() - PREFIX_BYTES + lent
    }

    /// Ends the message. Returns it with its prefix if nothing in it is lent.
    pub(crate) fn finish(&mut self) -> Option<&[u8]> {
        // A reply stays below the message limit, and that below 4 GiB. No compression: 0.
        let len = self.len() as u32;
        self.bytes[1..PREFIX_BYTES].copy_from_slice(&len.to_be_bytes());
        self.lent.is_empty().then_some(&self.bytes)
    }

    /// Ends the message, and returns it with its prefix.
    pub(crate) fn take(&mut self) -> Segments {
        self.finish();
        let Self { bytes, lent } = std::mem::replace(self, Self::new());
        let bytes = if bytes.len() < LARGE {
            Bytes::from(bytes)
        } else {
            // Slow readers hold it, as they hold what is lent.
            Bytes::from_owner(Copied::new(bytes))
        };
        let mut segments = Vec::with_capacity(2 * lent.len() + 1);
        let mut from = 0;
        for (to, value) in lent {
            segments.extend([bytes.slice(from..to), value]);
            from = to;
        }
        if from < bytes.len() {
            segments.push(bytes.slice(from..));
        }
        Segments(segments)
    }
}

impl Segments {
    /// The segments in their order, the prefix first.
    pub(crate) fn into_frames(self) -> impl Iterator<Item = Bytes> + Send {
        self.0.into_iter()
    }
}

/// Bytes that a field of `len` bytes takes, if its number is below 16.
pub(crate) fn field_len(len: usize) -> usize {
    if len == 0 { 0 } else { 1 + encoded_len_varint(len as u64) + len }
}

/// Bytes that a field with this number takes, if its own is below 16.
pub(crate) fn number_len(number: u64) -> usize {
    if number == 0 { 0 } else { 1 + encoded_len_varint(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(writer: &mut ReplyWriter) -> Vec<Bytes> {
        writer.take().into_frames().collect()
    }

    #[test]
    fn a_large_value_is_a_segment_of_its_own_and_no_copy() {
        let value = Bytes::from(vec![7; LARGE]);
        let mut writer = ReplyWriter::new();
        writer.number(1, 1);
        writer.value(2, &value, || value.clone());
        writer.text(3, "behind");
        assert_eq!(writer.finish(), None);
        let len = writer.len();
        let frames = frames(&mut writer);
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[1].as_ptr(), value.as_ptr());
        let whole = frames.concat();
        assert_eq!(whole[..PREFIX_BYTES], [&[0], &(len as u32).to_be_bytes()[..]].concat());
        assert_eq!(whole.len(), PREFIX_BYTES + len);
    }

    #[test]
    fn a_small_value_is_copied() {
        let mut writer = ReplyWriter::new();
        writer.value(2, &[7; LARGE - 1], || unreachable!("it is small"));
        let whole = writer.finish().expect("nothing is lent").to_vec();
        assert_eq!(frames(&mut writer), [whole]);
    }

    #[test]
    fn a_writer_begins_anew_after_a_reply() {
        let mut writer = ReplyWriter::new();
        for clear in [ReplyWriter::clear, |writer: &mut ReplyWriter| drop(writer.take())] {
            let value = Bytes::from(vec![7; LARGE]);
            writer.value(2, &value, || value.clone());
            clear(&mut writer);
            assert_eq!((writer.len(), writer.finish()), (0, Some(&[0; PREFIX_BYTES][..])));
        }
    }

    #[test]
    fn a_field_takes_its_key_its_length_and_its_bytes() {
        for len in [0, 1, 127, 128, 16_384] {
            let mut writer = ReplyWriter::new();
            writer.text(15, &"x".repeat(len));
            assert_eq!(writer.len(), field_len(len), "{len}");
        }
        for number in [0, 1, 127, 128, u64::MAX] {
            let mut writer = ReplyWriter::new();
            writer.number(15, number);
            assert_eq!(writer.len(), number_len(number), "{number}");
        }
    }
}
