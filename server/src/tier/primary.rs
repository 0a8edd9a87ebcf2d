//! A server that takes writes, and the slots that it has.

use std::sync::Arc;

use super::layout::SLOTS;

/// The host and the port of a server.
pub(crate) type ServerAddress = (Arc<str>, u16);

/// A server that takes writes, by its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Primary {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Slots that a primary has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Primary,
}

impl Primary {
    /// The one primary of a tier that is no cluster. Its address is the settings' own business.
    pub(super) fn only() -> Self {
        Self { host: String::new(), port: 0 }
    }
}

impl Range {
    /// All slots.
    pub(super) fn all_of(primary: Primary) -> Self {
        Self { first: 0, last: SLOTS - 1, primary }
    }
}
