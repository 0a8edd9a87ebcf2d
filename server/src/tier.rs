//! The second tier: a Redis or Valkey that nodes share, under the store, which then is near and
//! keeps what is asked for often. Knows the store's verbs and the client crate; the store knows
//! nothing of it.
//!
//! A node has one thread for it, `tier`, on which everything happens that must happen in an order:
//! fetches, writes, invalidations and flushes are steps of one loop, so none of them takes a lock.
//! Workers read the near part themselves, and send the rest to the loop.

mod settings; // what is set
mod layout; // what a key is called in the tier
mod ask; // what workers send to the loop, and what they get

// The loop and what it decides with:
mod desk; // takes what workers ask and what the tier says, one after another
mod flights; // one fetch for each key, and which of them may fill the near part
mod breaker; // keeps calls from piling up before what does not answer
mod coverage; // which primaries tell of changes, and what that means for the near part

// The wire, by the client crate:
mod remote; // reads and writes
mod script; // what the tier decides itself
mod tracking; // a connection to a primary that tells of changes
mod primary; // a server that takes writes, and its slots
mod topology; // which primary has which slots
mod routes; // from a key to a connection
mod dialer; // makes connections
mod sentinels; // asks them for the primary, over TLS
mod transport; // TLS

mod handle; // what commands call
mod figures; // what is counted

pub(crate) use self::{
    ask::{Down, Write},
    desk::Desk,
    figures::{Figures, TierStats},
    handle::{Tier, is_near, near},
};
pub use self::{
    settings::{TierFiles, TierSettings},
    transport::TierError,
};
