//! What workers send to the loop, and what they get.

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::oneshot;

use super::layout::TierKey;
use crate::store::{Lookup, Outcome, Ttl};

/// Why the tier did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Down {
    /// Nothing was sent, or nothing that was carried out.
    #[error("The backend cannot be reached, or refuses the command; its own log says which")]
    Apart,
    /// It was sent, and no answer came.
    #[error("The backend did not answer; the write may have been carried out or not")]
    Unsure,
    /// It has no room, and evicts nothing. The text is part of the wire contract.
    #[error("Cache capacity exhausted and cannot accommodate new entry")]
    Full,
}

/// One thing that a worker asks.
#[derive(Debug)]
pub(super) enum Ask {
    Read(TierKey, ReadReply),
    Write(TierKey, Write, WriteReply),
}

pub(super) type ReadReply = oneshot::Sender<Result<Lookup, Down>>;
pub(super) type WriteReply = oneshot::Sender<Result<Outcome, Down>>;

/// A write, which the tier carries out as a whole.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Set { value: Bytes, ttl: Ttl },
    SetIfAbsent { value: Bytes, ttl: Ttl },
    CompareAndSet { expected: Bytes, value: Bytes, ttl: Ttl },
    Delete,
}
