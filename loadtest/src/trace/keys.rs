//! Makes the keys that are sent: prefix in front, length held against what the
//! server takes. The file's own syntax is not known here.

use std::fmt::Display;

use tiny_cache_proto::key::MAX_KEY_CHARS;

use super::Problem;
use crate::transport::Namespace;

/// How a key of the trace becomes a key of the cache.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
    /// In characters, the prefix among them.
    limit: usize,
}

impl Keys {
    /// Puts `prefix` before every key, in a namespace that takes its share of the
    /// length.
    #[must_use]
    pub fn new(prefix: String, namespace: Option<&Namespace>) -> Self {
        let limit = namespace.map_or(MAX_KEY_CHARS, Namespace::max_key_chars);
        Self { prefix, limit }
    }

    /// Makes the key for `name`.
    ///
    /// # Errors
    ///
    /// The whole is longer than the server takes.
    pub fn key(&self, name: impl Display) -> Result<String, Problem> {
        let key = format!("{}{name}", self.prefix);
        // Bytes are never fewer than characters: counting is for the rare long key.
        if key.len() > self.limit {
            let chars = key.chars().count();
            if chars > self.limit {
                return Err(Problem::KeyTooLong { chars, limit: self.limit });
            }
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_characters_with_the_prefix() {
        let keys = Keys::new("p:".to_owned(), None);
        assert_eq!(keys.key(7).unwrap(), "p:7");
        assert!(keys.key("ä".repeat(254)).is_ok());
        let error = keys.key("ä".repeat(255)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "key has 257 characters, --key-prefix included; expected at most 256"
        );
    }

    #[test]
    fn a_namespace_takes_its_share_of_the_length() {
        // The server measures "4:team:KEY".
        let keys = Keys::new(String::new(), Some(&"team".parse().unwrap()));
        assert!(keys.key("k".repeat(249)).is_ok());
        assert!(matches!(
            keys.key("k".repeat(250)),
            Err(Problem::KeyTooLong { chars: 250, limit: 249 })
        ));
    }
}
