//! Makes the keys that are sent: prefix in front, length held against what the
//! server takes. The file's own syntax is not known here.

use std::fmt::Display;

use super::Problem;

/// How a key of the trace becomes a key of the cache.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
    /// In characters, the prefix among them.
    limit: usize,
}

impl Keys {
    /// Puts `prefix` before every key. The server takes up to `limit` characters, of which a
    /// namespace has had its share.
    #[must_use]
    pub fn new(prefix: String, limit: usize) -> Self {
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
    use tiny_cache_proto::key::MAX_KEY_CHARS;

    use super::*;
    use crate::transport::Namespace;

    #[test]
    fn the_limit_counts_characters_with_the_prefix() {
        let keys = Keys::new("p:".to_owned(), MAX_KEY_CHARS);
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
        let keys = Keys::new(String::new(), "team".parse::<Namespace>().unwrap().max_key_chars());
        assert!(keys.key("k".repeat(249)).is_ok());
        assert!(matches!(
            keys.key("k".repeat(250)),
            Err(Problem::KeyTooLong { chars: 250, limit: 249 })
        ));
    }
}
