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
    /// A server that takes no writes answers where the primary is looked for.
    #[error(
        "The backend is a replica and takes no writes; a failover ends that, or CACHE_BACKEND_URL \
         has to lead to the primary"
    )]
    Replica,
    /// It has no room, and evicts nothing. The text begins as the wire contract has it.
    #[error(
        "Cache capacity exhausted and cannot accommodate new entry: the backend is full and evicts \
         nothing; raise maxmemory there, or set its maxmemory-policy to allkeys-lru"
    )]
    Full,
    /// Something other than a value has the key's name. Who put it there is no node.
    #[error(
        "The backend has a {0} under the name of this key, and no value; delete it there, or have \
         its writer use names that do not begin with CACHE_BACKEND_PREFIX"
    )]
    Foreign(&'static str),
}

impl Down {
    /// The failure in a word, of which there are few.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Unsure => "unsure",
            Self::Replica => "replica",
            Self::Full => "full",
            Self::Foreign(_) => "foreign",
        }
    }
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

impl Write {
    /// The command that carries it out.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Set { .. } | Self::SetIfAbsent { .. } => "SET",
            Self::CompareAndSet { .. } => "EVAL",
            Self::Delete => "UNLINK",
        }
    }
}
