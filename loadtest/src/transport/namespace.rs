//! The namespace of a run. A [`Namespace`] that exists is one that a server accepts.

use std::{fmt, str::FromStr};

use tiny_cache_proto::key::{self, InvalidNamespace};

/// The name of a keyspace of its own, not the shared one.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
    max_key_chars: usize,
}

impl Namespace {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Longest key in it, in characters.
    #[must_use]
    pub fn max_key_chars(&self) -> usize {
        self.max_key_chars
    }
}

impl FromStr for Namespace {
    type Err = InvalidNamespace;

    /// Reads a name as the server does. A blank one, which means the shared keyspace there,
    /// is refused: who types it has an empty variable.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match key::Namespace::parse(text)? {
            key::Namespace::SHARED => Err(InvalidNamespace),
            namespace => Ok(Self {
                name: namespace.as_str().to_owned(),
                max_key_chars: namespace.max_key_chars(),
            }),
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_the_server_does_but_for_a_blank_one() {
        let longest = "n".repeat(64);
        for (text, name) in
            [("team", "team"), ("a.b_c-d", "a.b_c-d"), (" 7 ", "7"), (&longest, &longest)]
        {
            assert_eq!(text.parse::<Namespace>().unwrap().as_str(), name);
        }
        let too_long = "n".repeat(65);
        for text in ["", " ", "-a", "a b", "ä", &too_long] {
            assert!(text.parse::<Namespace>().is_err(), "{text:?}");
        }
    }
}
