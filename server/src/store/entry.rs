//! What a shard keeps for one key, and the forms in which a key is looked up.

use std::hash::{Hash, Hasher};

use bytes::Bytes;
use compact_str::CompactString;
use equivalent::Equivalent;

use tiny_cache_proto::key::Key;

use super::{clock::Deadline, namespaces::Slot};

/// A key as the shard keeps it. Up to 23 bytes of namespace and key need no allocation of
/// their own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoredKey {
    hash: u64,
    /// The namespace's length in bytes as one character (at most 64, so one byte), then the
    /// namespace, then the key: no plain key can look like a namespaced one.
    text: CompactString,
}

impl StoredKey {
    pub(super) fn new(Wanted { hash, key }: Wanted<'_>) -> Self {
        let namespace = key.namespace().as_str();
        let mut text = CompactString::with_capacity(Wanted { hash, key }.stored_len());
        text.push(namespace_mark(namespace));
        text.push_str(namespace);
        text.push_str(key.text());
        Self { hash, text }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Bytes of namespace and key, and the one that keeps them apart.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

impl Hash for StoredKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// A request's key with its hash: looks a stored key up without making one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) hash: u64,
    pub(super) key: Key<'a>,
}

impl Wanted<'_> {
    /// Bytes that the stored key has, or would have.
    pub(super) fn stored_len(&self) -> usize {
        1 + self.key.namespace().as_str().len() + self.key.text().len()
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<StoredKey> for Wanted<'_> {
    fn equivalent(&self, stored: &StoredKey) -> bool {
        let namespace = self.key.namespace().as_str();
        let text = stored.text.as_bytes();
        self.hash == stored.hash
            && text.len() == self.stored_len()
            && text[0] == namespace_mark(namespace) as u8
            && text[1..].starts_with(namespace.as_bytes())
            && text[1 + namespace.len()..] == *self.key.text().as_bytes()
    }
}

/// A hash alone: finds the entry that the expiry index speaks of.
#[derive(Clone, Copy, Debug)]
pub(super) struct HashOnly(pub(super) u64);

impl Hash for HashOnly {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

impl Equivalent<StoredKey> for HashOnly {
    fn equivalent(&self, stored: &StoredKey) -> bool {
        self.0 == stored.hash
    }
}

fn namespace_mark(namespace: &str) -> char {
    debug_assert!(namespace.len() <= 64);
    namespace.len() as u8 as char
}

/// A value with its deadline. moka clones it for a reader, which costs one reference count.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Bytes,
    pub(super) deadline: Deadline,
    /// The shard's count of writes when this one was made; wraps.
    pub(super) write: u32,
    /// The namespace's number. It lies in what would be padding.
    pub(super) slot: Slot,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_cache_proto::key::Namespace;

    #[test]
    fn a_plain_key_never_equals_a_namespaced_one() {
        let team = Namespace::parse("team").unwrap();
        let stored = StoredKey::new(Wanted { hash: 7, key: Key::parse(team, "x").unwrap() });
        for plain in ["4:team:x", "teamx", "\u{4}teamx", "x"] {
            let key = Key::parse(Namespace::SHARED, plain).unwrap();
            assert!(!Wanted { hash: 7, key }.equivalent(&stored), "{plain:?}");
        }
        let te = Namespace::parse("te").unwrap();
        let key = Key::parse(te, "amx").unwrap();
        assert!(!Wanted { hash: 7, key }.equivalent(&stored));
        let key = Key::parse(team, "x").unwrap();
        assert!(Wanted { hash: 7, key }.equivalent(&stored));
    }

    /// `ENTRY_OVERHEAD_BYTES` was measured with entries of this size.
    #[test]
    fn an_entry_takes_48_bytes() {
        assert_eq!(size_of::<Entry>(), 48);
    }
}
