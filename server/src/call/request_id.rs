//! The id that follows a request through logs and replies: the caller's, or one of ours.

use std::{borrow::Cow, sync::Arc};

use ahash::RandomState;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::sync::{AtomicU64, Ordering};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static(tiny_cache_proto::X_REQUEST_ID);

/// An id as logs, traces and messages show it. Not as headers are shown, which quotes it and
/// escapes half of what logs have to.
pub(crate) fn text(id: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(id.as_bytes())
}

/// Characters of a caller's id, which goes into every line of the log that is about the call and
/// back into the reply, where gRPC's core refuses long metadata at random.
const LONGEST: usize = 128;

/// Hexadecimal digits of 64 bits.
const DIGITS: usize = 16;

/// The text of an id of ours.
pub(crate) type NewId = [u8; DIGITS + 1 + DIGITS];

/// A place for one.
pub(crate) const EMPTY_ID: NewId = [b'-'; DIGITS + 1 + DIGITS];

/// Makes ids that no other worker and no other process makes: 64 random bits and a count.
#[derive(Clone, Debug)]
pub(crate) struct RequestIds {
    random: [u8; DIGITS],
    count: Arc<AtomicU64>,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let mut random = [0; DIGITS];
        // Each RandomState has a seed of its own, from the operating system.
        write_hex(RandomState::new().hash_one(()), &mut random);
        Self { random, count: Arc::default() }
    }

    /// The id that came with the request, or a new one where none came that can be used.
    pub(crate) fn take(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(X_REQUEST_ID) {
            Some(given) if is_usable(given.as_bytes()) => given.clone(),
            _ => HeaderValue::from_bytes(&self.make()).expect("digits are valid in a header"),
        }
    }

    /// [`Self::take`] of the metadata's text, with a new id in `made`.
    pub(crate) fn choose<'a>(&self, given: Option<&'a [u8]>, made: &'a mut NewId) -> &'a str {
        let id = given.filter(|given| is_usable(given)).unwrap_or_else(|| {
            *made = self.make();
            made
        });
        std::str::from_utf8(id).expect("what can be used is ASCII")
    }

    fn make(&self) -> NewId {
        let mut text = EMPTY_ID;
        text[..DIGITS].copy_from_slice(&self.random);
        write_hex(self.count.fetch_add(1, Ordering::Relaxed), &mut text[DIGITS + 1..]);
        text
    }
}

/// Whether an id says something, is short enough, and has the characters that gRPC allows in
/// metadata: others come back as an error of the caller's library.
fn is_usable(id: &[u8]) -> bool {
    id.len() <= LONGEST
        && id.iter().any(|byte| *byte != b' ')
        && id.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn write_hex(number: u64, into: &mut [u8]) {
    hex::encode_to_slice(number.to_be_bytes(), into).expect("16 digits hold 64 bits");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_across_workers() {
        let workers = [RequestIds::new(), RequestIds::new(), RequestIds::new()];
        let made: HashSet<_> = (0..3000).map(|i| workers[i % 3].make().to_vec()).collect();
        assert_eq!(made.len(), 3000);
    }

    #[test]
    fn a_given_id_is_taken_over_and_one_that_cannot_be_used_is_not() {
        let ids = RequestIds::new();
        let take = |given: &[u8]| {
            let given = HeaderValue::from_bytes(given).unwrap();
            ids.take(&HeaderMap::from_iter([(X_REQUEST_ID, given)]))
        };
        let longest = "x".repeat(LONGEST);
        for given in ["mine", "a b", "{\"a\": 1}", &longest] {
            assert_eq!(take(given.as_bytes()), given);
        }
        let too_long = "x".repeat(LONGEST + 1);
        for given in ["", "  ", "a\tb", "idé", &too_long, &"x".repeat(12 << 10)] {
            assert_eq!(take(given.as_bytes()).len(), 33, "{given:?}");
        }
    }
}
