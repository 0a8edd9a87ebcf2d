//! What a peer answered.

use tiny_cache_client::Lease;

use crate::workload::Operation;

/// What came back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// A read.
    Read {
        /// Keys that had a value.
        hits: u64,
        /// Keys that had none.
        misses: u64,
    },
    /// A read of a key that had no value, with the lease to fill it.
    Leased(Lease),
    /// A write or a removal.
    Done,
    /// A conditional write.
    Conditional {
        /// Whether the condition held.
        stored: bool,
    },
}

impl Answer {
    /// Keys that a read found and did not find.
    pub(crate) fn reads(self) -> [u64; 2] {
        match self {
            Self::Read { hits, misses } => [hits, misses],
            Self::Leased(_) => [0, 1],
            Self::Done | Self::Conditional { .. } => [0, 0],
        }
    }

    /// A read of one key.
    pub(super) fn of_one(is_hit: bool) -> Self {
        Self::of_batch(1, usize::from(is_hit))
    }

    /// A read of a batch, of which some keys had a value.
    pub(super) fn of_batch(keys: usize, hits: usize) -> Self {
        Self::Read { hits: hits as u64, misses: (keys - hits) as u64 }
    }

    /// The answer of a peer that has every key, and on which every condition holds.
    pub(super) fn without_a_peer(operation: &Operation) -> Self {
        match operation {
            Operation::Fetch(_) | Operation::Get(_) | Operation::Read(_) => Self::of_one(true),
            Operation::MultiGet(keys) => Self::of_batch(keys.len(), keys.len()),
            Operation::SetIfAbsent(_) | Operation::CompareAndSet(_) | Operation::Replace(_) => {
                Self::Conditional { stored: true }
            }
            Operation::Set(_)
            | Operation::Delete(_)
            | Operation::MultiSet(_)
            | Operation::Incr(_)
            | Operation::Fill(_) => Self::Done,
        }
    }
}
