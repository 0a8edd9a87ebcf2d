//! A file of token hashes: a name and the SHA-256 of the token in hexadecimal on each line. The
//! tokens themselves are nowhere on the server.
//!
//! A hash without salt and without stretching is enough, and fast, because tokens are random: with
//! 128 bits nobody finds one by trying. A password would be found.

use std::collections::HashMap;

use ahash::RandomState;
use subtle::ConstantTimeEq;

use super::{
    identity::{Identity, Kind},
    problem::{Digest, Problem, digest_of},
};

/// The tokens that are known.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    entries: Vec<Entry>,
    /// Places of entries by a hash of their digest. Its key is random, so that the time of a search
    /// says nothing about the digests; they are compared in constant time.
    index: HashMap<u64, Vec<usize>, RandomState>,
    keyed: RandomState,
}

#[derive(Debug)]
struct Entry {
    digest: Digest,
    identity: Identity,
    line: usize,
}

impl Tokens {
    /// Reads the text of a file. Blank lines and lines that begin with `#` are passed over. A name
    /// may have several tokens, so that an old one stays good while a new one is handed out.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let mut tokens = Self::default();
        for (number, line) in text.lines().enumerate() {
            let (number, line) = (number + 1, line.trim());
            if !line.is_empty() && !line.starts_with('#') {
                tokens.add(number, line).map_err(|why| Problem::at(number, why))?;
            }
        }
        if tokens.entries.is_empty() {
            return Err(Problem::of_file(
                "it names no token, so everybody would be refused; add a line by \
                 tiny-cache-server token hash NAME",
            ));
        }
        Ok(tokens)
    }

    fn add(&mut self, number: usize, line: &str) -> Result<(), String> {
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(hash), None) = (words.next(), words.next(), words.next()) else {
            // The line is not repeated: it may be a token that was written here by mistake.
            return Err("a line is a name and the SHA-256 of its token in hexadecimal, with a \
                        space between; tiny-cache-server token hash NAME makes one"
                .to_owned());
        };
        let identity = Identity::new(Kind::Token, name)
            .ok_or("the name is too long, or has control characters; choose another")?;
        let mut digest = Digest::default();
        hex::decode_to_slice(hash, &mut digest).map_err(|_| {
            format!(
                "the hash of {name} is not 64 hexadecimal digits; tiny-cache-server token hash \
                 {name} makes the line"
            )
        })?;
        if digest == digest_of(b"") {
            return Err(format!(
                "the hash of {name} is that of an empty token; hash a token, not an empty file"
            ));
        }
        if let Some(first) = self.find_entry(&digest) {
            return Err(format!(
                "{name} has the token of {} on line {}; give each its own",
                first.identity.name(),
                first.line
            ));
        }
        let key = self.keyed.hash_one(digest);
        self.index.entry(key).or_default().push(self.entries.len());
        self.entries.push(Entry { digest, identity, line: number });
        Ok(())
    }

    /// Whose token has this digest.
    pub(super) fn find(&self, digest: &Digest) -> Option<&Identity> {
        self.find_entry(digest).map(|entry| &entry.identity)
    }

    fn find_entry(&self, digest: &Digest) -> Option<&Entry> {
        let places = self.index.get(&self.keyed.hash_one(digest))?;
        let mut entries = places.iter().map(|place| &self.entries[*place]);
        entries.find(|entry| entry.digest.ct_eq(digest).into())
    }

    /// Each identity with the line of its first token.
    pub(super) fn identities(&self) -> impl Iterator<Item = (&Identity, usize)> {
        let mut seen = std::collections::HashSet::new();
        let entries = self.entries.iter().map(|entry| (&entry.identity, entry.line));
        entries.filter(move |(identity, _)| seen.insert(identity.as_str()))
    }

    pub(super) fn has(&self, identity: &Identity) -> bool {
        self.entries.iter().any(|entry| entry.identity == *identity)
    }
}

/// The token of an `authorization` value, `Bearer TOKEN`. The scheme's case does not count
/// (RFC 9110, 11.1); the token has the characters of RFC 6750, 2.1.
pub(super) fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = authorization.split_at_checked(SCHEME.len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(SCHEME) && is_token(token)).then_some(token)
}

/// Whether these are the characters that a token may have, and at least one.
pub(super) fn is_token(text: &[u8]) -> bool {
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    };
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let plain = &text[..text.len() - padding];
    !plain.is_empty() && plain.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(name: &str, token: &str) -> String {
        format!("{name} {}\n", hex::encode(digest_of(token.as_bytes())))
    }

    #[test]
    fn a_token_is_found_by_its_hash_and_no_other_is() {
        let text = format!("# ours\n\n{}  {}", line("web", "one"), line("job", "two"));
        let tokens = Tokens::parse(&text).unwrap();
        let find = |token: &str| tokens.find(&digest_of(token.as_bytes())).map(Identity::as_str);
        assert_eq!(find("one"), Some("token:web"));
        assert_eq!(find("two"), Some("token:job"));
        assert_eq!(find("three"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn a_name_may_have_several_tokens() {
        let text = line("web", "old") + &line("web", "new") + &line("job", "x");
        let tokens = Tokens::parse(&text).unwrap();
        for token in ["old", "new"] {
            assert_eq!(tokens.find(&digest_of(token.as_bytes())).unwrap().as_str(), "token:web");
        }
        let listed: Vec<_> = tokens.identities().map(|(who, line)| (who.name(), line)).collect();
        assert_eq!(listed, [("web", 1), ("job", 3)]);
    }

    #[test]
    fn a_mistake_is_refused_with_its_line_and_never_repeated() {
        let good = line("web", "secret-token");
        for (text, at, why) in [
            (String::new(), None, "names no token"),
            ("# only this\n".to_owned(), None, "names no token"),
            (format!("{good}secret-token\n"), Some(2), "a line is a name"),
            (format!("{good}job secret-token\n"), Some(2), "64 hexadecimal digits"),
            (format!("{good}job {:063}\n", 0), Some(2), "64 hexadecimal digits"),
            (format!("{good}a b c\n"), Some(2), "a line is a name"),
            (format!("{good}{good}"), Some(2), "on line 1"),
            (line("empty", ""), Some(1), "empty token"),
        ] {
            let problem = Tokens::parse(&text).expect_err(&text);
            assert_eq!(problem.line, at, "{text}: {problem:?}");
            assert!(problem.text.contains(why), "{text}: {problem:?}");
            assert!(!problem.text.contains("secret-token"), "{problem:?}");
        }
    }

    #[test]
    fn a_bearer_token_is_told_from_other_credentials() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER  abc ", Some("abc")),
            ("Bearer a.b-c_d~e+f/g==", Some("a.b-c_d~e+f/g==")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer a b", None),
            ("Bearer a=b", None),
            ("Bearer ==", None),
            ("Bearer\tabc", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
            ("Bearer ä", None),
        ] {
            assert_eq!(bearer(value.as_bytes()), token.map(str::as_bytes), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn the_parser_finds_what_was_written_and_nothing_else(
            tokens in prop::collection::btree_map("[a-zA-Z0-9_-]{1,40}", "[!-~]{1,30}", 1..30),
            other in "[a-zA-Z0-9_-]{1,40}",
        ) {
            let lines = tokens.iter().filter(|(_, name)| !name.starts_with('#'));
            let text: String = lines.clone().map(|(token, name)| line(name, token)).collect();
            let Ok(parsed) = Tokens::parse(&text) else {
                prop_assert_eq!(text, "");
                return Ok(());
            };
            for (token, name) in lines {
                let found = parsed.find(&digest_of(token.as_bytes())).map(Identity::name);
                prop_assert_eq!(found, Some(&**name));
            }
            if !tokens.contains_key(&other) {
                prop_assert!(parsed.find(&digest_of(other.as_bytes())).is_none());
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
            let _ = Tokens::parse(&text);
        }
    }
}
