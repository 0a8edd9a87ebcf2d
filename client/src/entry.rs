//! An entry as the second service shows it: with its version and its times.

use std::{fmt, str::FromStr, time::Duration};

use bytes::Bytes;
use tiny_cache_proto::v1::{ReadReply, ReadState};

use crate::{
    error::{Error, Result},
    milliseconds,
};

/// Names one write of a key. No other write of the key has it, and later writes have higher ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i64);

impl Version {
    /// The version that a number of the wire names; none is 0 or negative.
    pub(crate) fn of(number: i64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The version as the wire has it.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for Version {
    type Err = Error;

    /// # Errors
    ///
    /// The text is not a positive number: [`ErrorKind::Validation`](crate::ErrorKind::Validation).
    fn from_str(text: &str) -> Result<Self> {
        text.parse().ok().and_then(Self::of).ok_or_else(|| {
            Error::validation(format!("`{text}` is no version; a version is a positive number"))
        })
    }
}

/// A live entry, as [`Client::read`](crate::Client::read) found it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The value; none if the read did not ask for it, or knows it already.
    pub value: Option<Bytes>,
    /// The write that the entry is from.
    pub version: Version,
    /// Time until it expires, zero if it has; none if it never does.
    pub ttl_left: Option<Duration>,
    /// Whether it has expired, and is kept while it is made anew.
    pub is_stale: bool,
    /// Time since it was written.
    pub age: Duration,
    /// Whether it has the version that the read knows.
    pub is_known: bool,
    /// Names the process of the server. Another one than before: the server has started again.
    pub process_id: u32,
}

impl Entry {
    /// The entry of a reply; none for a miss.
    pub(crate) fn of(reply: ReadReply, wants_value: bool) -> Result<Option<Self>> {
        match reply.state() {
            ReadState::Miss => return Ok(None),
            ReadState::Fresh | ReadState::Stale => {}
            ReadState::Unspecified | ReadState::Busy => {
                return Err(Error::unknown_status(reply.state));
            }
        }
        let version = Version::of(reply.version);
        let version = version.ok_or_else(|| Error::unknown_status(reply.state))?;
        let left = milliseconds::duration(reply.ttl_left_ms);
        let is_stale = reply.state() == ReadState::Stale;
        Ok(Some(Self {
            value: (wants_value && !reply.not_modified).then_some(reply.value),
            version,
            ttl_left: (is_stale || !left.is_zero()).then_some(left),
            is_stale,
            age: milliseconds::duration(reply.age_ms),
            is_known: reply.not_modified,
            process_id: reply.process_id,
        }))
    }
}
