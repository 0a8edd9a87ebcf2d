//! The namespace of a run. A [`Namespace`] that exists is one that a server accepts.

use std::{fmt, str::FromStr};

use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};

const MAX_CHARS: usize = 64;

/// The name of a keyspace of its own.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
    /// Made once, cloned by reference count for every call.
    metadata: MetadataValue<Ascii>,
}

impl Namespace {
    /// The metadata entry that names the keyspace.
    pub const METADATA: &'static str = "x-cache-namespace";

    /// The value of [`Namespace::METADATA`].
    #[must_use]
    pub fn metadata(&self) -> MetadataValue<Ascii> {
        self.metadata.clone()
    }

    /// How many of a key's characters the server counts for the namespace: it measures
    /// `LENGTH:NAMESPACE:KEY`.
    #[must_use]
    pub fn key_chars(&self) -> usize {
        format!("{}:{}:", self.name.len(), self.name).len()
    }
}

impl FromStr for Namespace {
    type Err = BadNamespace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let starts = text.starts_with(|char: char| char.is_ascii_alphanumeric());
        let fits = text.len() <= MAX_CHARS
            && text.chars().all(|char| char.is_ascii_alphanumeric() || ".-_".contains(char));
        let metadata = text.parse().map_err(|_| BadNamespace)?;
        if starts && fits {
            Ok(Self { name: text.to_owned(), metadata })
        } else {
            Err(BadNamespace)
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

/// The name of a namespace is not one.
#[derive(Debug, Error)]
#[error(
    "expected 1 to {MAX_CHARS} characters: a letter or digit, then letters, digits, '.', '_' and '-'"
)]
pub struct BadNamespace;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_servers_grammar() {
        let longest = "n".repeat(64);
        for name in ["team", "7", "a.b_c-d", &longest] {
            assert_eq!(name.parse::<Namespace>().unwrap().to_string(), name);
        }
        let too_long = "n".repeat(65);
        for name in ["", " ", "-a", ".a", "a b", "ä", "a\n", &too_long] {
            assert!(name.parse::<Namespace>().is_err(), "{name:?}");
        }
    }
}
