//! The messages of `proto/cache.proto`: requests are encoded, replies compared with the one that
//! there can be, since every value of a work has the same bytes.

use std::ops::RangeInclusive;

use super::{Fault, grpc::Dialect};
use crate::work::{BATCH, KEY_BYTES, Operation, Value};

/// The prefix of a gRPC message: its compression and its length.
pub(crate) const PREFIX: usize = 5;

/// Field numbers and wire types, as protobuf writes them: `number << 3 | type`.
const FIELD_1_BYTES: u8 = 0x0a;
const FIELD_2_BYTES: u8 = 0x12;
const FIELD_3_BYTES: u8 = 0x1a;
const FIELD_1_VARINT: u8 = 0x08;
const FIELD_2_VARINT: u8 = 0x10;

/// Bytes of a Read's reply beside the value, which version, age and the value's length may take.
const FACTS: RangeInclusive<usize> = 8..=48;

/// Requests and replies of a work.
#[derive(Debug)]
pub(crate) struct Messages {
    dialect: Dialect,
    value: Value,
    content: Vec<u8>,
    get: Vec<u8>,
    set: Vec<u8>,
    /// An item of a MultiGet's reply behind its key. The items have the same length each.
    item_tail: Vec<u8>,
    item: usize,
}

impl Messages {
    pub(crate) fn new(value: Value, dialect: Dialect) -> Self {
        let content = value.content();
        let mut get = vec![FIELD_1_VARINT, 1];
        bytes_field(&mut get, FIELD_2_BYTES, &content);
        let mut item_tail = vec![FIELD_2_VARINT, 1];
        bytes_field(&mut item_tail, FIELD_3_BYTES, &content);
        let inner = 2 + KEY_BYTES + item_tail.len();
        let item = 1 + varint_bytes(inner) + inner;
        let set = vec![FIELD_1_VARINT, 1];
        Self { dialect, value, content, get, set, item_tail, item }
    }

    /// Appends the message of a request with its prefix.
    pub(crate) fn encode(&self, operation: Operation, keys: &[u32], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; PREFIX]);
        for &key in keys {
            bytes_field(out, FIELD_1_BYTES, &self.value.key(key));
        }
        if operation == Operation::Set {
            bytes_field(out, FIELD_2_BYTES, &self.content);
        }
        let length = (out.len() - start - PREFIX) as u32;
        out[start + 1..start + PREFIX].copy_from_slice(&length.to_be_bytes());
    }

    /// Bytes of a reply with its prefix.
    pub(crate) fn reply_bytes(&self, operation: Operation) -> RangeInclusive<usize> {
        let exactly = |bytes| PREFIX + bytes..=PREFIX + bytes;
        match operation {
            Operation::Get if self.dialect == Dialect::Second => {
                let value = PREFIX + self.content.len();
                value + FACTS.start()..=value + FACTS.end()
            }
            Operation::Get => exactly(self.get.len()),
            Operation::Set => exactly(self.set.len()),
            Operation::MultiGet => exactly(BATCH * self.item),
        }
    }

    /// Compares a reply with its prefix.
    pub(crate) fn check(&self, operation: Operation, reply: &[u8]) -> Result<(), Fault> {
        let length = reply.len().saturating_sub(PREFIX) as u32;
        let message = reply.strip_prefix(&[0]).and_then(|r| r.strip_prefix(&length.to_be_bytes()));
        let is_right = message.is_some_and(|message| match operation {
            Operation::Get if self.dialect == Dialect::Second => self.is_sight(message),
            Operation::Get => message == self.get,
            Operation::Set => message == self.set,
            Operation::MultiGet => message.chunks(self.item).all(|item| self.is_item(item)),
        });
        let expected = || format!("the reply of a {operation:?} that hits");
        if is_right { Ok(()) } else { Err(Fault::unexpected(&expected(), reply)) }
    }

    /// Whether a Read's reply has the value.
    fn is_sight(&self, message: &[u8]) -> bool {
        let mut value = Vec::new();
        bytes_field(&mut value, FIELD_2_BYTES, &self.content);
        message.windows(value.len()).any(|part| part == value)
    }

    fn is_item(&self, item: &[u8]) -> bool {
        let inner = 2 + KEY_BYTES + self.item_tail.len();
        let mut head = vec![FIELD_1_BYTES];
        varint(&mut head, inner);
        head.extend([FIELD_1_BYTES, KEY_BYTES as u8]);
        let Some(rest) = item.strip_prefix(head.as_slice()) else { return false };
        rest.len() > KEY_BYTES && rest[KEY_BYTES..] == self.item_tail
    }
}

fn bytes_field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    varint(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint_bytes(number: usize) -> usize {
    let mut out = Vec::new();
    varint(&mut out, number);
    out.len()
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Lookup {
        #[prost(string, tag = "1")]
        key: String,
        #[prost(bool, tag = "2")]
        found: bool,
        #[prost(bytes = "vec", tag = "3")]
        value: Vec<u8>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Lookups {
        #[prost(message, repeated, tag = "1")]
        items: Vec<Lookup>,
    }

    fn with_prefix(message: &[u8]) -> Vec<u8> {
        let mut reply = vec![0];
        reply.extend((message.len() as u32).to_be_bytes());
        reply.extend(message);
        reply
    }

    fn lookups(value: Value) -> Lookups {
        let lookup = |key| Lookup {
            key: String::from_utf8(value.key(key).to_vec()).unwrap(),
            found: true,
            value: value.content(),
        };
        Lookups { items: (0..BATCH as u32).map(lookup).collect() }
    }

    #[test]
    fn a_batch_of_prost_is_the_one_expected() {
        for value in [Value::Small, Value::Large] {
            let messages = Messages::new(value, Dialect::Plain);
            let reply = with_prefix(&lookups(value).encode_to_vec());
            assert!(messages.reply_bytes(Operation::MultiGet).contains(&reply.len()));
            messages.check(Operation::MultiGet, &reply).unwrap();
        }
    }

    #[test]
    fn a_miss_within_a_batch_is_a_fault() {
        let messages = Messages::new(Value::Small, Dialect::Plain);
        let mut batch = lookups(Value::Small);
        batch.items[99].found = false;
        let reply = with_prefix(&batch.encode_to_vec());
        assert!(messages.check(Operation::MultiGet, &reply).is_err());
    }

    #[test]
    fn a_read_has_the_value_among_its_facts() {
        let messages = Messages::new(Value::Small, Dialect::Second);
        let mut message = vec![FIELD_1_VARINT, 1];
        bytes_field(&mut message, FIELD_2_BYTES, &messages.content);
        message.extend([0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
        let mut reply = with_prefix(&message);
        assert!(messages.reply_bytes(Operation::Get).contains(&reply.len()));
        messages.check(Operation::Get, &reply).unwrap();
        reply[20] = b'w';
        assert!(messages.check(Operation::Get, &reply).is_err());
    }

    #[test]
    fn a_get_that_misses_or_has_another_value_is_a_fault() {
        let messages = Messages::new(Value::Small, Dialect::Plain);
        let mut reply = with_prefix(&messages.get);
        messages.check(Operation::Get, &reply).unwrap();
        *reply.last_mut().unwrap() = b'w';
        assert!(messages.check(Operation::Get, &reply).is_err());
        assert!(messages.check(Operation::Get, &with_prefix(&[])).is_err());
    }

    #[test]
    fn a_request_has_its_length_its_key_and_its_value() {
        let messages = Messages::new(Value::Small, Dialect::Plain);
        let mut out = Vec::new();
        messages.encode(Operation::Set, &[7], &mut out);
        assert_eq!(out[..7], [0, 0, 0, 0, 18 + 66, 0x0a, 16]);
        assert_eq!(&out[7..23], b"s000000000000007");
        assert_eq!(out[23..25], [0x12, 64]);
        assert_eq!(out.len(), 5 + 18 + 66);
    }
}
