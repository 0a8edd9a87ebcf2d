//! An entry as a caller sees it: its value, and what is known of it.

use std::time::Duration;

use super::{outcome::Value, version::Version};

/// An entry at the moment of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The value, shared with the store.
    pub value: Value,
    /// The write that it is from.
    pub version: Version,
    /// Time until it expires, zero if it is stale; `None`: it never does.
    pub ttl_left: Option<Duration>,
    /// Whether it has expired, and is kept for those that take a stale value.
    pub is_stale: bool,
    /// Whether somebody should make it anew.
    pub wants_refill: bool,
    /// Time since it was written.
    pub age: Duration,
}

/// An entry as a scan lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Without its namespace.
    pub key: String,
    /// The write that it is from.
    pub version: Version,
    /// Bytes of its value.
    pub value_bytes: usize,
    /// Time until it expires; `None`: it never does.
    pub ttl_left: Option<Duration>,
}
