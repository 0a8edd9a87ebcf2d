//! What a server must not do, told so that it can be looked into.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    nanos::Nanos,
    stamp::{Damage, Stamp},
};

/// One thing that no linearizable cache does.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Violation {
    /// Which kind of thing.
    pub kind: Kind,
    /// The namespace asked for; empty for the shared one.
    pub namespace: String,
    /// The key asked for.
    pub key: String,
    /// Before the request was sent.
    #[serde(rename = "began_ns")]
    pub began: Nanos,
    /// After its reply was there.
    #[serde(rename = "ended_ns")]
    pub ended: Nanos,
    /// What the value says of itself; none where it is damaged.
    pub found: Option<Stamp>,
    /// Bytes of the value.
    pub length: u64,
    /// What it contradicts.
    pub reason: Reason,
}

/// The kinds of violations.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The value is torn or corrupt.
    Damaged,
    /// The value is another namespace's.
    WrongNamespace,
    /// The value is another key's.
    WrongKey,
    /// The value is of this run, and was never stored.
    NeverWritten,
    /// The value had been replaced or removed before the read began.
    Stale,
    /// The value's ttl was over before the read began.
    Expired,
    /// The value is of another run, and had been replaced or removed before the read began.
    Foreign,
    /// A compare-and-set replaced a value that was not there any more.
    LostUpdate,
}

/// What a violation contradicts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    /// The value itself.
    Damaged(Damage),
    /// What was asked for.
    Misplaced {
        /// Hash of the namespace asked for.
        namespace: u64,
        /// Hash of the key asked for.
        key: u64,
    },
    /// There is no such write yet.
    NotBegun {
        /// The newest version that was begun.
        newest: u64,
    },
    /// The server had refused the conditional write.
    Refused {
        /// When its reply was there.
        #[serde(rename = "at_ns")]
        at: Nanos,
    },
    /// The server refused the conditional write after its value had been read.
    ReadThenRefused {
        /// When the value was there.
        #[serde(rename = "read_by_ns")]
        read_by: Nanos,
    },
    /// The key held something else after the version was held.
    Replaced {
        /// How that is known.
        by: Witness,
    },
    /// The version had been refused, or the key held something else; the particulars are
    /// forgotten.
    Forgotten {
        /// Known no later than that.
        #[serde(rename = "since_ns")]
        since: Nanos,
    },
    /// Its time was over.
    Expired {
        /// The version was in the cache no later than that.
        #[serde(rename = "held_by_ns")]
        held_by: Nanos,
    },
    /// The key held something of this run, or nothing.
    Cleared {
        /// Known no later than that.
        #[serde(rename = "since_ns")]
        since: Nanos,
    },
    /// Another compare-and-set had replaced the same version.
    SwappedTwice {
        /// The version that it wrote.
        first: u64,
    },
}

/// An interval within which a key held a certain thing at some instant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Witness {
    /// How that is known.
    #[serde(flatten)]
    pub what: Event,
    /// Before the request was sent.
    #[serde(rename = "began_ns")]
    pub began: Nanos,
    /// After its reply was there.
    #[serde(rename = "ended_ns")]
    pub ended: Nanos,
}

/// What happened at the instant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A write, which was acknowledged.
    Write {
        /// What it wrote.
        version: u64,
    },
    /// A delete, which was acknowledged.
    Delete,
    /// A read that returned a value.
    Read {
        /// What it returned.
        version: u64,
    },
    /// A read that returned none.
    Miss,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Damaged,
        Self::WrongNamespace,
        Self::WrongKey,
        Self::NeverWritten,
        Self::Stale,
        Self::Expired,
        Self::Foreign,
        Self::LostUpdate,
    ];

    /// The name in a report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::WrongNamespace => "wrong-namespace",
            Self::WrongKey => "wrong-key",
            Self::NeverWritten => "never-written",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::Foreign => "foreign",
            Self::LostUpdate => "lost-update",
        }
    }
}

impl Event {
    /// The version that the key held; none if it held nothing.
    pub(super) fn version(self) -> Option<u64> {
        match self {
            Self::Write { version } | Self::Read { version } => Some(version),
            Self::Delete | Self::Miss => None,
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Event::Write { version } => write!(out, "a write of version {version}")?,
            Event::Delete => out.write_str("a delete")?,
            Event::Read { version } => write!(out, "a read of version {version}")?,
            Event::Miss => out.write_str("a miss")?,
        }
        write!(out, " from {} to {}", self.began, self.ended)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage) => write!(out, "{damage}"),
            Self::Misplaced { namespace, key } => {
                write!(out, "asked for namespace {namespace:016x}, key {key:016x}")
            }
            Self::NotBegun { newest: 0 } => write!(out, "no write of the key was begun"),
            Self::NotBegun { newest } => write!(out, "the newest write is version {newest}"),
            Self::Refused { at } => write!(out, "the write had been refused by {at}"),
            Self::ReadThenRefused { read_by } => {
                write!(out, "the write was refused, and its value read by {read_by}")
            }
            Self::Replaced { by } => write!(out, "contradicts {by}"),
            Self::Forgotten { since } => {
                write!(out, "replaced or refused by {since} at the latest")
            }
            Self::Expired { held_by } => write!(out, "its ttl ran from {held_by} at the latest"),
            Self::Cleared { since } => {
                write!(out, "replaced or removed by this run by {since} at the latest")
            }
            Self::SwappedTwice { first } => write!(out, "version {first} had replaced it"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: key {:?}", self.kind.name(), self.key)?;
        if !self.namespace.is_empty() {
            write!(out, " of namespace {:?}", self.namespace)?;
        }
        write!(out, ", asked from {} to {}: {} bytes", self.began, self.ended, self.length)?;
        if let Some(Stamp { run, namespace, key, version, written, ttl }) = &self.found {
            write!(
                out,
                ", version {version} written at {written} for {ttl} s by run {run:016x} to \
                 namespace {namespace:016x}, key {key:016x}"
            )?;
        }
        write!(out, "; {}", self.reason)
    }
}
