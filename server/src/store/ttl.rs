//! How long an entry is to live, as callers say it.

use std::time::Duration;

/// How long an entry lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Until it is deleted, replaced or evicted.
    Forever,
    /// Gone as soon as this much time has passed, that of a suspend included.
    For(Duration),
}

impl Ttl {
    /// Reads the wire's seconds: 0 or less means forever.
    pub fn from_seconds(seconds: i32) -> Self {
        match u64::try_from(seconds) {
            Ok(seconds @ 1..) => Ttl::For(Duration::from_secs(seconds)),
            _ => Ttl::Forever,
        }
    }
}
