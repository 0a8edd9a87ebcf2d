//! What the row of a trace says, whichever format it has, and the operation that it leads
//! to. Knows nothing of how a row is cut into columns.

use std::num::NonZeroU32;

use super::Problem;
use crate::access::{self, Content, Operation, ValueSize};

/// One row. Key sizes, clients and hits are not kept: a replay has no use for them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Row<'line> {
    /// When, in seconds from wherever the trace counts them; none where it has no times.
    pub seconds: Option<u64>,
    /// The anonymized key, not yet measured.
    pub key: &'line str,
    /// Bytes of the value; 0 where the operation had none.
    pub value_size: u64,
    /// What was done.
    pub verb: Verb,
    /// How often it was done, one after the other.
    pub times: NonZeroU32,
    /// Seconds; 0 where the operation had none, and none where the trace does not tell.
    /// Not yet held against the wire's limits.
    pub ttl: Option<i128>,
}

/// The operation of a row, as far as a replay tells operations apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    /// Looks a key up.
    Read,
    /// Leaves a value behind, and the row says how long it is.
    Write,
    /// Deletes a key.
    Delete,
}

impl Row<'_> {
    /// Decides the content of a row. A read's row has no ttl, and no size where the
    /// original cache missed: both are 0 there, and the fallback steps in. A write's 0 is
    /// meant: an empty value, or one that never expires. A ttl that the trace does not
    /// tell is the fallback's for both.
    ///
    /// # Errors
    ///
    /// The size or the ttl is beyond what the wire has.
    pub(super) fn operation(&self, fallback: Content) -> Result<Operation, Problem> {
        let mut content = Content {
            size: ValueSize::from_bytes(self.value_size)?,
            ttl: self.ttl.map_or(Ok(fallback.ttl), access::ttl_of_seconds)?,
        };
        Ok(match self.verb {
            Verb::Read => {
                if self.value_size == 0 {
                    content.size = fallback.size;
                }
                if self.ttl == Some(0) {
                    content.ttl = fallback.ttl;
                }
                Operation::Read(content)
            }
            Verb::Write => Operation::Write(content),
            Verb::Delete => Operation::Delete,
        })
    }
}

/// Reads a key. The error is what was expected in its place.
pub(super) fn key(bytes: &[u8]) -> Result<&str, &'static str> {
    match str::from_utf8(bytes) {
        Ok("") => Err("1 character or more"),
        Ok(text) => Ok(text),
        Err(_) => Err("UTF-8"),
    }
}

/// Reads a number of plain digits, as all formats have them.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    // `parse` would take a plus sign.
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads a ttl. It may be negative in a file; the error for that is the ttl's own.
pub(super) fn ttl(bytes: &[u8]) -> Option<i128> {
    match bytes.strip_prefix(b"-") {
        Some(digits) => number(digits).map(|number| -i128::from(number)),
        None => number(bytes).map(i128::from),
    }
}
