//! What a caller may know about a server.

use super::health::ServerState;
use crate::address::Address;

/// A server, see [`Client::servers`](crate::Client::servers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) weight: u32,
    pub(crate) state: ServerState,
}

impl ServerInfo {
    /// Its name on the ring; of a server without a ring, its address.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its weight on the ring.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether it takes its keys, as this client sees it. A server without a ring always does.
    #[must_use]
    pub fn state(&self) -> ServerState {
        self.state
    }
}
