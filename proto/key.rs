//! Turns the texts of a request into a valid key. A [`Key`] that exists is valid,
//! and nothing later checks it again. It borrows from the request; it never copies.

use thiserror::Error;

/// Longest key, in characters (Unicode scalar values).
pub const MAX_KEY_CHARS: usize = 256;

/// Longest namespace, in characters; only ASCII ones are allowed, so in bytes too.
pub const MAX_NAMESPACE_CHARS: usize = 64;

/// A keyspace of its own: the keys of two namespaces never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace<'a>(&'a str);

impl<'a> Namespace<'a> {
    /// The keyspace of requests that name none.
    pub const SHARED: Namespace<'static> = Namespace("");

    /// Reads a namespace from the text of the `x-cache-namespace` metadata.
    ///
    /// White space around it does not count, and a blank text is the shared keyspace.
    ///
    /// # Errors
    /// [`InvalidNamespace`] unless the text is 1 to 64 characters, first an ASCII letter
    /// or digit, then letters, digits, `.`, `_` or `-`.
    pub fn parse(text: &'a str) -> Result<Self, InvalidNamespace> {
        let name = text.trim();
        let Some(&first) = name.as_bytes().first() else {
            return Ok(Namespace::SHARED);
        };
        let valid = name.len() <= MAX_NAMESPACE_CHARS
            && first.is_ascii_alphanumeric()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if valid { Ok(Namespace(name)) } else { Err(InvalidNamespace) }
    }

    /// [`Self::parse`] of the metadata's bytes. Other bytes than visible ASCII, spaces and tabs
    /// name no namespace.
    ///
    /// # Errors
    /// [`InvalidNamespace`] as for a text.
    pub fn of_metadata(value: &'a [u8]) -> Result<Self, InvalidNamespace> {
        let is_text = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        let text = std::str::from_utf8(value).ok().filter(|_| is_text);
        text.map_or(Err(InvalidNamespace), Self::parse)
    }

    /// The name; empty for the shared keyspace.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Longest key here, in characters: `LEN:NAMESPACE:` takes its share of the 256, as it
    /// did for the first clients.
    pub fn max_key_chars(self) -> usize {
        match self.0.len() {
            0 => MAX_KEY_CHARS,
            name @ 1..=9 => MAX_KEY_CHARS - (1 + 1 + name + 1),
            name => MAX_KEY_CHARS - (2 + 1 + name + 1),
        }
    }
}

/// A namespace that breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "Invalid x-cache-namespace: 1 to {MAX_NAMESPACE_CHARS} characters, first a letter or digit, \
     then letters, digits, '.', '_' or '-'"
)]
pub struct InvalidNamespace;

/// A valid key in its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    namespace: Namespace<'a>,
    text: &'a str,
}

impl<'a> Key<'a> {
    /// Checks a key's text.
    ///
    /// # Errors
    /// [`InvalidKey`] when the key is empty or longer than 256 characters, or longer than
    /// its namespace leaves room for ([`Namespace::max_key_chars`]).
    pub fn parse(namespace: Namespace<'a>, text: &'a str) -> Result<Self, InvalidKey> {
        if text.is_empty() {
            return Err(InvalidKey::Empty);
        }
        let key_chars = chars_up_to_limit(text);
        if key_chars > MAX_KEY_CHARS {
            return Err(InvalidKey::TooLong);
        }
        if key_chars > namespace.max_key_chars() {
            return Err(InvalidKey::NamespacedTooLong);
        }
        Ok(Self { namespace, text })
    }

    /// The namespace that holds the key.
    pub fn namespace(self) -> Namespace<'a> {
        self.namespace
    }

    /// The key without its namespace.
    pub fn text(self) -> &'a str {
        self.text
    }
}

/// A key that breaks the rules. The texts are part of the wire contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidKey {
    /// The key has no characters.
    #[error("Key cannot be empty")]
    Empty,
    /// The key has more than 256 characters.
    #[error("Key is too long (max {MAX_KEY_CHARS})")]
    TooLong,
    /// Key, namespace and the separators of the first format exceed 256 characters.
    #[error("Namespaced key is too long (max {MAX_KEY_CHARS})")]
    NamespacedTooLong,
}

/// Counts characters, but no further than is needed to see that there are too many: a
/// client may send megabytes.
fn chars_up_to_limit(text: &str) -> usize {
    if text.len() > MAX_KEY_CHARS * char::MAX_LEN_UTF8 {
        return MAX_KEY_CHARS + 1;
    }
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_counted_in_characters_not_bytes() {
        let longest = "🦀".repeat(256);
        assert!(Key::parse(Namespace::SHARED, &longest).is_ok());
        let longer = "é".repeat(257);
        assert_eq!(Key::parse(Namespace::SHARED, &longer), Err(InvalidKey::TooLong));
        let far_longer = "x".repeat(1 << 20);
        assert_eq!(Key::parse(Namespace::SHARED, &far_longer), Err(InvalidKey::TooLong));
    }

    #[test]
    fn an_empty_key_is_refused() {
        assert_eq!(Key::parse(Namespace::SHARED, ""), Err(InvalidKey::Empty));
    }

    #[test]
    fn a_namespaced_key_counts_its_prefix() {
        let team = Namespace::parse("team").unwrap();
        // "4:team:" takes 7 of the 256 characters.
        assert!(Key::parse(team, &"k".repeat(249)).is_ok());
        assert_eq!(Key::parse(team, &"k".repeat(250)), Err(InvalidKey::NamespacedTooLong));
        let long = "n".repeat(64);
        let long = Namespace::parse(&long).unwrap();
        // "64:" + 64 + ":" takes 68.
        assert!(Key::parse(long, &"k".repeat(188)).is_ok());
        assert_eq!(Key::parse(long, &"k".repeat(189)), Err(InvalidKey::NamespacedTooLong));
    }

    #[test]
    fn a_namespace_says_how_long_its_keys_may_be() {
        assert_eq!(Namespace::SHARED.max_key_chars(), 256);
        for chars in 1..=MAX_NAMESPACE_CHARS {
            let name = "n".repeat(chars);
            let taken = format!("{chars}:{name}:").len();
            assert_eq!(Namespace::parse(&name).unwrap().max_key_chars(), 256 - taken);
        }
    }

    #[test]
    fn a_blank_namespace_is_the_shared_one() {
        assert_eq!(Namespace::parse(""), Ok(Namespace::SHARED));
        assert_eq!(Namespace::parse(" \t "), Ok(Namespace::SHARED));
        assert_eq!(Namespace::parse(" team ").unwrap().as_str(), "team");
    }

    #[test]
    fn a_namespace_keeps_to_its_alphabet() {
        for good in ["a", "9", "a.b_c-d", "A0", &"n".repeat(64)] {
            assert!(Namespace::parse(good).is_ok(), "{good}");
        }
        for bad in [".a", "-a", "_a", "a b", "a/b", "a:b", "ä", &"n".repeat(65)] {
            assert_eq!(Namespace::parse(bad), Err(InvalidNamespace), "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_no_namespace() {
        assert_eq!(Namespace::of_metadata(b" team\t").unwrap().as_str(), "team");
        assert_eq!(Namespace::of_metadata(b""), Ok(Namespace::SHARED));
        for bad in [&b"\xff"[..], "\u{a0}".as_bytes(), b"\n", b"\0", b"a\x7f", b"\x0bteam"] {
            assert_eq!(Namespace::of_metadata(bad), Err(InvalidNamespace), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_valid_exactly_when_its_characters_fit(text in any::<String>(), n in 0usize..3) {
            let text = text.repeat(n * 20);
            let chars = text.chars().count();
            prop_assert_eq!(
                Key::parse(Namespace::SHARED, &text).is_ok(),
                (1..=256).contains(&chars)
            );
        }
    }
}
