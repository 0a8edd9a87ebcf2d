//! What must hold of an entry for a change to be made.

use bytes::Bytes;
use tiny_cache_proto::v1::{self, Presence, condition::Holds};

use crate::entry::Version;

/// What must hold of the live entry for a write or a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// It is from this write.
    Version(Version),
    /// It has this value.
    Value(Bytes),
    /// Its value has this SHA-256.
    Sha256([u8; 32]),
}

impl Condition {
    /// As the wire has it.
    pub(crate) fn message(self) -> v1::Condition {
        v1::Condition {
            holds: Some(match self {
                Self::Absent => Holds::Presence(Presence::Absent.into()),
                Self::Present => Holds::Presence(Presence::Present.into()),
                Self::Version(version) => Holds::Version(version.get()),
                Self::Value(value) => Holds::Value(value),
                Self::Sha256(hash) => Holds::ValueSha256(Bytes::copy_from_slice(&hash)),
            }),
        }
    }
}
