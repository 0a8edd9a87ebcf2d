//! Tags: names that entries have in common, so that they can be invalidated together.

use thiserror::Error;

/// Most tags of an entry.
pub const MOST_TAGS: usize = 8;

/// Bytes of the longest tag.
pub const LONGEST_TAG: usize = 128;

/// Bytes behind the tags of an entry that say how many there are.
const LEN_BYTES: usize = size_of::<u16>();

/// The tags of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags<'a> {
    names: [&'a str; MOST_TAGS],
    /// Those beyond the most are counted and not kept.
    given: usize,
}

/// Why an entry cannot have its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TagError {
    /// There are too many.
    #[error("{0} tags: an entry has at most {MOST_TAGS}")]
    TooMany(usize),
    /// One is empty or too long.
    #[error("a tag has {0} bytes: it has 1 to {LONGEST_TAG}")]
    Len(usize),
}

impl<'a> Tags<'a> {
    /// Takes one more. One that is there counts once.
    pub fn add(&mut self, name: &'a str) {
        if self.iter().any(|held| held == name) {
            return;
        }
        if let Some(place) = self.names.get_mut(self.given) {
            *place = name;
        }
        self.given += 1;
    }

    /// The tags, if an entry can have them.
    ///
    /// # Errors
    /// [`TagError`]: there are too many, or one is empty or too long.
    pub fn checked(self) -> Result<Self, TagError> {
        if self.given > MOST_TAGS {
            return Err(TagError::TooMany(self.given));
        }
        self.iter().try_for_each(check)?;
        Ok(self)
    }

    /// Each one.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.names.into_iter().take(self.given)
    }

    /// Bytes that they take in an entry.
    pub(super) fn stored_len(&self) -> usize {
        let each = self.iter().map(|name| 1 + name.len()).sum::<usize>();
        if each == 0 { 0 } else { each + LEN_BYTES }
    }

    /// As an entry keeps them: each behind its length, and at the end the length of all. Nothing
    /// for none.
    pub(super) fn stored(&self) -> Vec<u8> {
        let mut stored = Vec::with_capacity(self.stored_len());
        for name in self.iter() {
            // At most `LONGEST_TAG`.
            stored.push(name.len() as u8);
            stored.extend_from_slice(name.as_bytes());
        }
        if !stored.is_empty() {
            let len = (stored.len() + LEN_BYTES) as u16;
            stored.extend_from_slice(&len.to_le_bytes());
        }
        stored
    }

    /// Those that end these bytes.
    pub(super) fn of_end(bytes: &'a [u8]) -> Self {
        let mut tags = Self::default();
        let whole = &bytes[bytes.len() - len_at_end(bytes)..];
        let mut rest = &whole[..whole.len() - LEN_BYTES];
        while let [len, behind @ ..] = rest {
            let (name, next) = behind.split_at(usize::from(*len));
            tags.add(std::str::from_utf8(name).unwrap_or_default());
            rest = next;
        }
        tags
    }
}

impl<'a> FromIterator<&'a str> for Tags<'a> {
    fn from_iter<T: IntoIterator<Item = &'a str>>(names: T) -> Self {
        let mut tags = Self::default();
        names.into_iter().for_each(|name| tags.add(name));
        tags
    }
}

/// Whether a tag can be one.
///
/// # Errors
/// [`TagError::Len`].
pub fn check(name: &str) -> Result<(), TagError> {
    if (1..=LONGEST_TAG).contains(&name.len()) { Ok(()) } else { Err(TagError::Len(name.len())) }
}

/// Bytes of the tags that end these bytes.
pub(super) fn len_at_end(bytes: &[u8]) -> usize {
    bytes.last_chunk().map_or(0, |len| usize::from(u16::from_le_bytes(*len)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_has_at_most_eight_tags_of_128_bytes() {
        let longest = "x".repeat(LONGEST_TAG);
        let tags = |names: &[&'static str]| names.iter().copied().collect::<Tags<'_>>();
        let eight = ["a", "b", "c", "d", "e", "f", "g", &longest[..]];
        assert!(Tags::from_iter(eight).checked().is_ok());
        let nine = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        assert_eq!(tags(&nine).checked(), Err(TagError::TooMany(9)));
        assert_eq!(tags(&["a", ""]).checked(), Err(TagError::Len(0)));
        let long = longest.clone() + "x";
        assert_eq!(Tags::from_iter([&long[..]]).checked(), Err(TagError::Len(129)));
    }

    #[test]
    fn a_tag_named_twice_counts_once() {
        let tags: Tags<'_> =
            ["a", "b", "a", "b", "a", "c", "a", "a", "a", "d"].into_iter().collect();
        assert_eq!(tags.checked(), Ok(tags));
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    }

    proptest! {
        #[test]
        fn tags_are_read_as_they_were_stored(
            names in prop::collection::vec("[a-zä]{1,40}", 0..=MOST_TAGS),
            before: Vec<u8>,
        ) {
            let tags: Tags<'_> = names.iter().map(String::as_str).collect();
            let stored = tags.stored();
            prop_assert_eq!(stored.len(), tags.stored_len());
            if !names.is_empty() {
                let block = [before, stored].concat();
                prop_assert_eq!(Tags::of_end(&block), tags);
                prop_assert_eq!(len_at_end(&block), tags.stored_len());
            }
        }
    }
}
