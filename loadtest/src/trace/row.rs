//! What the row of a trace says, whichever format it has, and the operation that it leads
//! to. Knows nothing of how a row is cut into columns.

use std::{borrow::Cow, fmt, num::NonZeroU32};

use super::{error::Problem, time::Time};
use crate::access::{self, Action, Content, ValueSize};

/// One row. Clients and hits are not kept: a replay has no use for them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row<'line> {
    /// When; none if the trace has no times.
    pub time: Option<Time>,
    /// The key, not yet measured.
    pub key: Name<'line>,
    /// Bytes of the key that the trace's own had, where an anonymized one may be shorter.
    pub key_size: Option<u64>,
    /// Bytes of the value; 0 if the operation had none, and none if the trace has no sizes.
    pub value_size: Option<u64>,
    /// What was done.
    pub verb: Verb,
    /// How often it was done, one after the other.
    pub times: NonZeroU32,
    /// Seconds; 0 if the operation had none, and none if the trace has no ttls. Not yet checked
    /// against the wire's limits.
    pub ttl: Option<i128>,
}

/// What a trace calls a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Name<'line> {
    /// Text, never empty.
    Text(Cow<'line, str>),
    /// A number.
    Id(u64),
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Id(id) => write!(out, "{id}"),
        }
    }
}

impl<'line> Row<'line> {
    /// A read of a key, of which nothing else is known.
    pub(super) fn read(key: Name<'line>) -> Self {
        Self {
            time: None,
            key,
            key_size: None,
            value_size: None,
            verb: Verb::Read,
            times: NonZeroU32::MIN,
            ttl: None,
        }
    }

    /// Decides the content of a row. A read's row has no ttl, and no size where the
    /// original cache missed: both are 0 there, and the fallback steps in. A write's 0 is
    /// meant: an empty value, or one that never expires. What the trace lacks is the
    /// fallback's for both.
    ///
    /// # Errors
    ///
    /// The size or the ttl is beyond what the wire has.
    pub(super) fn action(&self, fallback: Content) -> Result<Action, Problem> {
        let mut content = Content {
            size: self.value_size.map_or(Ok(fallback.size), ValueSize::from_bytes)?,
            ttl: self.ttl.map_or(Ok(fallback.ttl), access::ttl_of_seconds)?,
        };
        Ok(match self.verb {
            Verb::Read => {
                if self.value_size == Some(0) {
                    content.size = fallback.size;
                }
                if self.ttl == Some(0) {
                    content.ttl = fallback.ttl;
                }
                Action::Read(content)
            }
            Verb::Write => Action::Write(content),
            Verb::Delete => Action::Delete,
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

/// Reads a column of `row` that is a number.
pub(super) fn id(column: &'static str, digits: &[u8], row: &'static str) -> Result<u64, Problem> {
    number(digits).ok_or_else(|| Problem::column(column, digits, "a whole number of 64 bits", row))
}

/// Reads a number that a program may have kept as a floating point one: `512` or `512.0`.
pub(super) fn whole(text: &[u8]) -> Option<u64> {
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let digits = parts.next()?;
    parts.next().is_none_or(|zeros| zeros.iter().all(|&byte| byte == b'0')).then_some(())?;
    number(digits)
}

/// Reads a ttl. It may be negative in a file; the error for that is the ttl's own.
pub(super) fn ttl(bytes: &[u8]) -> Option<i128> {
    match bytes.strip_prefix(b"-") {
        Some(digits) => whole(digits).map(|number| -i128::from(number)),
        None => whole(bytes).map(i128::from),
    }
}

/// The operation of a row, as far as a replay distinguishes operations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    /// Looks a key up.
    Read,
    /// Leaves a value behind, and the row says how long it is.
    Write,
    /// Deletes a key.
    Delete,
}

/// What was expected where a name is none of these.
pub(super) const VERBS: &str = "an operation such as get, set or delete (--help lists them)";

/// The names, in small letters: those of memcached, of cachebench, of libCacheSim, and what
/// logs of other stores call the same. Conditional and arithmetic operations leave a value
/// behind as well. The numbers are those of SCSI, which block traces have.
const NAMES: [(Verb, &str); 3] = [
    (Verb::Read, "get gets get_lease read r 28 88"),
    (
        Verb::Write,
        "set set_lease add replace cas append prepend incr decr put write w update insert 2a 8a",
    ),
    (Verb::Delete, "delete del d remove"),
];

/// The longest name.
const LONGEST: usize = 9;

impl Verb {
    /// Reads a name, in small or capital letters.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        if name.len() > LONGEST {
            return None;
        }
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        NAMES.iter().find(|(_, names)| names.split(' ').any(is)).map(|(verb, _)| *verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_verb_in_small_and_capital_letters() {
        for (verb, names) in [
            (Verb::Read, "get gets GET GET_LEASE read Read r"),
            (Verb::Write, "set add replace cas append prepend incr decr SET SET_LEASE Write PUT w"),
            (Verb::Delete, "delete DELETE Del"),
        ] {
            for name in names.split(' ') {
                assert_eq!(Verb::parse(name.as_bytes()), Some(verb), "{name}");
            }
        }
        for name in ["", "touch", "ge", "getx", "set_leases", "delete all"] {
            assert_eq!(Verb::parse(name.as_bytes()), None, "{name}");
        }
    }
}
