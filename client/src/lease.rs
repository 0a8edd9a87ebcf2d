//! The right to fill a key.

use tiny_cache_proto::v1;

/// The right to fill a key that is not there, for one caller at a time. It ends when anybody writes
/// or removes the key, after its time, and with the connection that it came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(i64);

impl Lease {
    pub(crate) fn of(lease: v1::Lease) -> Self {
        Self(lease.token)
    }

    /// The lease that a token names: one that another part of the program claimed.
    #[must_use]
    pub fn from_token(token: i64) -> Self {
        Self(token)
    }

    /// Its token, as the wire has it.
    #[must_use]
    pub fn token(self) -> i64 {
        self.0
    }
}
