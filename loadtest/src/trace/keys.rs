//! Makes the keys that are sent: prefix in front, length held against what the
//! server takes. The file's own syntax is not known here.

use std::fmt::{Display, Write};

use super::error::Problem;
use crate::values::fnv1a;

/// Longest key that cachebench makes, and that any key is filled up to.
const LONGEST_FILLED: usize = 256;

/// Digits of a hash that stands at the end of a key, and the sign before them.
const HASH: usize = 17;

/// How a key of the trace becomes a key of the cache.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
    /// In characters, the prefix among them.
    limit: usize,
    hash_long: bool,
}

/// A key to send.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Key {
    pub text: String,
    /// Whether its end was replaced by a hash.
    pub hashed: bool,
}

impl Keys {
    /// Puts `prefix` before every key. The server takes up to `limit` characters, of which a
    /// namespace has had its share.
    pub fn new(prefix: String, limit: usize) -> Self {
        Self { prefix, limit, hash_long: false }
    }

    /// Replaces the end of a key that is too long by a hash of all of it.
    #[must_use]
    pub fn hash_long(mut self, hash_long: bool) -> Self {
        self.hash_long = hash_long;
        self
    }

    /// Makes the key for `name`. Where the trace's own key had more bytes, it is filled up to
    /// as many with zeros, as cachebench does, and as far as there is room.
    ///
    /// # Errors
    ///
    /// The whole is longer than the server takes.
    pub(super) fn key(&self, name: impl Display, bytes: Option<u64>) -> Result<Key, Problem> {
        let mut text = format!("{}{name}", self.prefix);
        if let Some(bytes) = bytes {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(LONGEST_FILLED);
            let missing = bytes.saturating_sub(text.len() - self.prefix.len());
            let room = self.limit.saturating_sub(text.chars().count());
            text.extend(std::iter::repeat_n('0', missing.min(room)));
        }
        // Bytes are never fewer than characters: counting is for the rare long key.
        if text.len() <= self.limit {
            return Ok(Key { text, hashed: false });
        }
        let chars = text.chars().count();
        if chars <= self.limit {
            return Ok(Key { text, hashed: false });
        }
        if !self.hash_long || self.limit < self.prefix.chars().count() + HASH {
            return Err(Problem::KeyTooLong { chars, limit: self.limit });
        }
        let hash = fnv1a(text.as_bytes());
        let kept = text.char_indices().nth(self.limit - HASH).map_or(text.len(), |(at, _)| at);
        text.truncate(kept);
        write!(text, "#{hash:016x}").expect("a String takes all that is written to it");
        Ok(Key { text, hashed: true })
    }
}

#[cfg(test)]
mod tests {
    use tiny_cache_proto::key::MAX_KEY_CHARS;

    use super::*;
    use crate::peers::Namespace;

    fn text(keys: &Keys, name: &str, bytes: Option<u64>) -> String {
        keys.key(name, bytes).unwrap().text
    }

    #[test]
    fn the_limit_counts_characters_with_the_prefix() {
        let keys = Keys::new("p:".to_owned(), MAX_KEY_CHARS);
        assert_eq!(text(&keys, "7", None), "p:7");
        assert!(keys.key("ä".repeat(254), None).is_ok());
        let error = keys.key("ä".repeat(255), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "key has 257 characters, --key-prefix included; expected at most 256, or say \
             --hash-long-keys"
        );
    }

    #[test]
    fn a_namespace_takes_its_share_of_the_length() {
        // The server measures "4:team:KEY".
        let keys = Keys::new(String::new(), "team".parse::<Namespace>().unwrap().max_key_chars);
        assert!(keys.key("k".repeat(249), None).is_ok());
        assert!(matches!(
            keys.key("k".repeat(250), None),
            Err(Problem::KeyTooLong { chars: 250, limit: 249 })
        ));
    }

    /// As `KVReplayGenerator.h` does: to the larger of both sizes, and to 256 at most.
    #[test]
    fn a_key_is_filled_up_to_the_size_that_the_traces_own_had() {
        let keys = Keys::new(String::new(), MAX_KEY_CHARS);
        for (bytes, length) in [(0, 3), (3, 3), (7, 7), (256, 256), (1024, 256), (u64::MAX, 256)] {
            let expected = format!("abc{}", "0".repeat(length - 3));
            assert_eq!(text(&keys, "abc", Some(bytes)), expected, "{bytes}");
        }
        assert_eq!(text(&keys, "ä", Some(4)), "ä00", "in bytes");
    }

    #[test]
    fn what_fills_a_key_up_is_never_what_makes_it_too_long() {
        let keys = Keys::new("p:".to_owned(), 10);
        assert_eq!(text(&keys, "abc", Some(200)), "p:abc00000");
        assert_eq!(text(&keys, "abc", Some(5)), "p:abc00", "the prefix is not the trace's");
    }

    #[test]
    fn a_key_that_is_too_long_can_end_in_a_hash_of_all_of_it() {
        let keys = Keys::new("p:".to_owned(), MAX_KEY_CHARS).hash_long(true);
        let (one, other) = (format!("{}1", "ä".repeat(300)), format!("{}2", "ä".repeat(300)));
        let (one, other) = (keys.key(&one, None).unwrap(), keys.key(&other, None).unwrap());
        assert!(one.hashed && one.text.starts_with("p:ää"), "{one:?}");
        assert_eq!(one.text.chars().count(), MAX_KEY_CHARS);
        assert_ne!(one.text, other.text);
        assert!(!keys.key("k".repeat(254), None).unwrap().hashed);
        let full = Keys::new("p".repeat(250), MAX_KEY_CHARS).hash_long(true);
        assert!(full.key("k".repeat(7), None).is_err(), "no room for a hash");
    }
}
