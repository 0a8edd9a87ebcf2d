//! Where a scan goes on, as its caller holds it between two pages.
//!
//! A place is made of a hash, and a caller that knew the hashes of its keys could choose keys that
//! meet in one bucket. So a cursor is sealed with a key of this process's own, which also refuses one
//! that was changed, or is from before a restart. It is sealed together with what the scan asks for:
//! a cursor of one namespace is none of another.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use tiny_cache_proto::key::Namespace;

/// A place in the order in which a scan goes through the entries: shard by shard, stripe by stripe,
/// and within a stripe by a number that each hash has of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) shard: u16,
    pub(super) stripe: u16,
    /// The least number that is still to come.
    pub(super) from: u64,
}

const PLACE_BYTES: usize = 12;

/// Seals and opens cursors, and numbers hashes.
#[derive(Debug)]
pub(super) struct Cursors {
    key: LessSafeKey,
    random: SystemRandom,
    mask: u64,
}

impl Cursors {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let (mut key, mut mask) = ([0; 32], [0; 8]);
        fill(&random, &mut key);
        fill(&random, &mut mask);
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).expect("a key of 32 bytes");
        Self { key: LessSafeKey::new(key), random, mask: u64::from_ne_bytes(mask) }
    }

    /// The number of a hash; no other hash has it. A scan returns its keys in this order, and the
    /// order of their hashes would tell of those what no caller should know.
    pub(super) fn number(&self, hash: u64) -> u64 {
        let mixed = (hash ^ self.mask).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ self.mask
    }

    pub(super) fn seal(&self, place: Place, namespace: Namespace<'_>, prefix: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        fill(&self.random, &mut nonce);
        let mut cursor = nonce.to_vec();
        let Place { shard, stripe, from } = place;
        let mut sealed =
            [&shard.to_le_bytes()[..], &stripe.to_le_bytes(), &from.to_le_bytes()].concat();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealing =
            self.key.seal_in_place_append_tag(nonce, asked(namespace, prefix), &mut sealed);
        sealing.expect("a place is shorter than the longest message");
        cursor.append(&mut sealed);
        cursor
    }

    /// The place of a cursor. `None`: it is none of this scan in this process.
    pub(super) fn open(
        &self,
        cursor: &[u8],
        namespace: Namespace<'_>,
        prefix: &str,
    ) -> Option<Place> {
        let (nonce, sealed) = cursor.split_first_chunk::<NONCE_LEN>()?;
        if sealed.len() != PLACE_BYTES + CHACHA20_POLY1305.tag_len() {
            return None;
        }
        let (nonce, mut sealed) = (Nonce::assume_unique_for_key(*nonce), sealed.to_vec());
        let place = self.key.open_in_place(nonce, asked(namespace, prefix), &mut sealed).ok()?;
        let (shard, rest) = place.split_first_chunk()?;
        let (stripe, rest) = rest.split_first_chunk()?;
        Some(Place {
            shard: u16::from_le_bytes(*shard),
            stripe: u16::from_le_bytes(*stripe),
            from: u64::from_le_bytes(*rest.first_chunk()?),
        })
    }
}

fn fill(random: &SystemRandom, bytes: &mut [u8]) {
    random.fill(bytes).expect("the operating system has random bytes");
}

/// What a scan asks for. The namespace's length goes first, so that no two scans have the same.
fn asked(namespace: Namespace<'_>, prefix: &str) -> Aad<Vec<u8>> {
    let namespace = namespace.as_str().as_bytes();
    Aad::from([&[namespace.len() as u8], namespace, prefix.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const PLACE: Place = Place { shard: 7, stripe: 1023, from: u64::MAX - 5 };

    fn name(text: &str) -> Namespace<'_> {
        Namespace::parse(text).unwrap()
    }

    #[test]
    fn a_cursor_is_of_its_scan_alone() {
        let (cursors, other) = (Cursors::new(), Cursors::new());
        let cursor = cursors.seal(PLACE, name("team"), "a");
        assert_eq!(cursors.open(&cursor, name("team"), "a"), Some(PLACE));
        for (namespace, prefix) in [("team", ""), ("team", "ab"), ("teama", ""), ("", "a")] {
            assert_eq!(cursors.open(&cursor, name(namespace), prefix), None);
        }
        assert_eq!(other.open(&cursor, name("team"), "a"), None);
    }

    #[test]
    fn a_cursor_that_was_changed_is_none() {
        let cursors = Cursors::new();
        let cursor = cursors.seal(PLACE, Namespace::SHARED, "");
        for at in 0..cursor.len() {
            let mut changed = cursor.clone();
            changed[at] ^= 1;
            assert_eq!(cursors.open(&changed, Namespace::SHARED, ""), None, "{at}");
            assert_eq!(cursors.open(&cursor[..at], Namespace::SHARED, ""), None, "{at}");
        }
        let longer = [&cursor[..], &[0]].concat();
        assert_eq!(cursors.open(&longer, Namespace::SHARED, ""), None);
        assert_eq!(cursors.open(&[], Namespace::SHARED, ""), None);
    }

    #[test]
    fn each_hash_has_a_number_of_its_own_and_their_orders_differ() {
        let cursors = Cursors::new();
        let numbers: Vec<_> = (0..10_000).map(|hash| cursors.number(hash)).collect();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
        let rises = numbers.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((4_000..6_000).contains(&rises), "{rises}");
    }
}
