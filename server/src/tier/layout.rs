//! What a key is called in the tier: `PREFIX` `NAMESPACE` `:` `KEY`. A namespace has no colon, so
//! that no two keys have the same name; the shared keyspace has an empty one. Values are stored as
//! they are. So an operator reads both with redis-cli, and one prefix tells all of them.

use bytes::Bytes;
use crc16::{State, XMODEM};
use tiny_cache_proto::key::{Key, Namespace};

/// The name of a key in the tier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TierKey(Bytes);

impl TierKey {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The names of keys under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    prefix: Box<str>,
}

impl Layout {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn encode(&self, key: Key<'_>) -> TierKey {
        let namespace = key.namespace().as_str();
        let parts = [&*self.prefix, namespace, ":", key.text()];
        TierKey(Bytes::from(parts.concat().into_bytes()))
    }

    /// The key of a name. `None`: it is no name that a node gives.
    pub(super) fn decode<'a>(&self, name: &'a [u8]) -> Option<Key<'a>> {
        let name = std::str::from_utf8(name).ok()?.strip_prefix(&*self.prefix)?;
        let (namespace, text) = name.split_once(':')?;
        Key::parse(Namespace::parse(namespace).ok()?, text).ok()
    }

    /// A name as it came from the tier.
    pub(super) fn name(name: Vec<u8>) -> TierKey {
        TierKey(name.into())
    }
}

/// How many parts the hash slots of a cluster are judged in. Slots of one primary are usually next
/// to each other, so a primary that is down takes its parts with it and no others.
pub(super) const SECTIONS: usize = 64;

/// Hash slots of a cluster.
pub(super) const SLOTS: u16 = 16384;

impl TierKey {
    /// Its slot in a cluster.
    pub(super) fn slot(&self) -> u16 {
        slot(hashed(&self.0))
    }

    /// The part of the hash slots that its slot is in.
    pub(super) fn section(&self) -> usize {
        usize::from(self.slot()) * SECTIONS / usize::from(SLOTS)
    }
}

/// The part of a name that its slot follows from: what is between the first braces, if anything is.
fn hashed(name: &[u8]) -> &[u8] {
    let Some(open) = name.iter().position(|byte| *byte == b'{') else { return name };
    match name[open + 1..].iter().position(|byte| *byte == b'}') {
        None | Some(0) => name,
        Some(len) => &name[open + 1..][..len],
    }
}

/// The slot of what is hashed, as the specification of Redis Cluster has it.
fn slot(name: &[u8]) -> u16 {
    State::<XMODEM>::calculate(name) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_key_and_no_two_keys_have_the_same() {
        let layout = Layout::new("tc:");
        let team = Namespace::parse("team").unwrap();
        let keys = [
            (Namespace::SHARED, "x"),
            (team, "x"),
            (Namespace::SHARED, "team:x"),
            (Namespace::SHARED, ":x"),
            (team, "{a}:\u{1f600} \r\n\0"),
        ];
        let mut names = Vec::new();
        for (namespace, text) in keys {
            let key = Key::parse(namespace, text).unwrap();
            let name = layout.encode(key);
            assert_eq!(layout.decode(name.as_bytes()), Some(key));
            assert!(!names.contains(&name), "{name:?}");
            names.push(name);
        }
        assert_eq!(names[0].as_bytes(), b"tc::x");
        assert_eq!(names[1].as_bytes(), b"tc:team:x");
        for stranger in [&b"tc"[..], b"tc:x", b"other::x", b"tc::", b"tc::\xff", b"tc:a b:x"] {
            assert_eq!(layout.decode(stranger), None, "{stranger:?}");
        }
    }

    #[test]
    fn slots_are_those_of_the_specification() {
        for (name, expected) in
            [(&b"123456789"[..], 12739), (b"foo", 12182), (b"{foo}bar", 12182), (b"{}foo", 9500)]
        {
            assert_eq!(slot(hashed(name)), expected, "{name:?}");
        }
        assert_eq!(TierKey(Bytes::from_static(b"foo")).section(), 12182 / 256);
    }
}
