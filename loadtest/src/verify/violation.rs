//! What a server must not do, reported with what it takes to look into it.

use std::fmt;

use strum::{IntoStaticStr, VariantArray};
use thiserror::Error;

use super::{
    nanos::Nanos,
    stamp::{Damage, Stamp},
};

/// One thing that no linearizable cache does.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Which kind of thing.
    pub kind: Kind,
    /// The namespace asked for; empty for the shared one.
    pub namespace: String,
    /// The key asked for.
    pub key: String,
    /// Before the request was sent.
    pub began: Nanos,
    /// After its reply was there.
    pub ended: Nanos,
    /// The value's stamp; none if the value is damaged.
    pub found: Option<Stamp>,
    /// Bytes of the value.
    pub length: u64,
    /// What it contradicts.
    pub reason: Reason,
}

/// The kinds of violations.
#[derive(Clone, Copy, Debug, Eq, Hash, IntoStaticStr, Ord, PartialEq, PartialOrd, VariantArray)]
#[strum(serialize_all = "kebab-case")]
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
    /// A version of the server's is below one that the key had before, or stands for two values.
    WrongVersion,
    /// A counter's step was lost.
    LostStep,
}

/// What a violation contradicts.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum Reason {
    /// The value itself.
    #[error(transparent)]
    Damaged(Damage),
    /// What was asked for.
    #[error("asked for namespace {namespace:016x}, key {key:016x}")]
    Misplaced {
        /// Hash of the namespace asked for.
        namespace: u64,
        /// Hash of the key asked for.
        key: u64,
    },
    /// There is no such write yet; this version is the newest that was begun.
    #[error("{}", match .0 {
        0 => "no write of the key was begun".to_owned(),
        newest => format!("the newest write is version {newest}"),
    })]
    NotBegun(u64),
    /// The server had refused the conditional write; its reply was there by then.
    #[error("the write had been refused by {0}")]
    Refused(Nanos),
    /// The server refused the conditional write after its value had been read, by then.
    #[error("the write was refused, and its value read by {0}")]
    ReadThenRefused(Nanos),
    /// The key held something else after the version was held, as the witness tells.
    #[error("contradicts {0}")]
    Replaced(Witness),
    /// The version had been refused, or the key held something else, since then at the latest; the
    /// particulars are forgotten.
    #[error("replaced or refused by {0} at the latest")]
    Forgotten(Nanos),
    /// Its time was over: it was in the cache no later than that.
    #[error("its ttl ran from {0} at the latest")]
    Expired(Nanos),
    /// The key held something of this run, or nothing, since then at the latest.
    #[error("replaced or removed by this run by {0} at the latest")]
    Cleared(Nanos),
    /// Another compare-and-set, which wrote this version, had replaced the same one.
    #[error("version {0} had replaced it")]
    SwappedTwice(u64),
    /// The key had this version of the server's, by then.
    #[error("the key had the server's version {0} by {1}")]
    VersionBefore(i64, Nanos),
    /// The server's version is that of this version of the run's.
    #[error("the server's version is that of version {0}")]
    VersionOf(u64),
    /// Two steps of a counter have this version of the server's.
    #[error("two steps have the server's version {0}")]
    SteppedTwice(i64),
    /// A step before had this value, and so many can have been made since at most.
    #[error("a step before made it {0}, and {1} can have been made since at most")]
    StepLost(i64, u64),
}

/// An interval within which a key held a certain thing at some instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Witness {
    /// How that is known.
    pub what: Event,
    /// Before the request was sent.
    pub began: Nanos,
    /// After its reply was there.
    pub ended: Nanos,
}

/// What happened at the instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A write of this version, which was acknowledged.
    Write(u64),
    /// A delete, which was acknowledged.
    Delete,
    /// A read of this version.
    Read(u64),
    /// A read that returned none.
    Miss,
}

impl Kind {
    /// The name in a report.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Event {
    /// The version that the key held; none if it held nothing.
    pub(super) fn version(self) -> Option<u64> {
        match self {
            Self::Write(version) | Self::Read(version) => Some(version),
            Self::Delete | Self::Miss => None,
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Event::Write(version) => write!(out, "a write of version {version}")?,
            Event::Delete => out.write_str("a delete")?,
            Event::Read(version) => write!(out, "a read of version {version}")?,
            Event::Miss => out.write_str("a miss")?,
        }
        write!(out, " from {} to {}", self.began, self.ended)
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
