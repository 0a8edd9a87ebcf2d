//! The namespace of a run. A [`Namespace`] that exists is one that a server accepts.

use std::{fmt, str::FromStr};

use tiny_cache_proto::key::{self, MAX_NAMESPACE_CHARS};

/// The name of a keyspace of its own, not the shared one.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// As the server has it.
    pub name: String,
    /// Longest key that it takes, in characters.
    pub max_key_chars: usize,
}

impl FromStr for Namespace {
    type Err = String;

    /// Reads a name as the server does. A blank one is the shared keyspace there, and refused
    /// here: it comes from an empty variable of a script.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match key::Namespace::parse(text) {
            Ok(namespace) if namespace != key::Namespace::SHARED => Ok(Self {
                name: namespace.as_str().to_owned(),
                max_key_chars: namespace.max_key_chars(),
            }),
            _ => Err(format!(
                "expected 1 to {MAX_NAMESPACE_CHARS} characters: first a letter or digit, then \
                 letters, digits, '.', '_' or '-'"
            )),
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
            assert_eq!(text.parse::<Namespace>().unwrap().name, name);
        }
        let too_long = "n".repeat(65);
        for text in ["", " ", "-a", "a b", "ä", &too_long] {
            assert!(text.parse::<Namespace>().is_err(), "{text:?}");
        }
    }
}
