//! Why a call brought no answer that could be used.

use thiserror::Error;
use tiny_cache_client::transport::Failure;

/// A call without an answer that could be used.
#[derive(Clone, Debug, Error)]
pub enum CallError {
    /// There was no reply, or one with a gRPC status other than OK.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The reply came, with a status other than OK in its message.
    #[error("the reply's own status is {0}, not OK")]
    NotOk(i32),
    /// An item of a batch failed.
    #[error("an item of the batch failed: {0}")]
    Item(String),
    /// A batch came back with other items than were asked for.
    #[error("{asked} items were asked for, {answered} came back")]
    BatchSize {
        /// Items sent.
        asked: usize,
        /// Items in the reply.
        answered: usize,
    },
}

impl CallError {
    /// The name to count it by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Failed(failure) => failure.name(),
            Self::NotOk(_) => "REPLY_NOT_OK",
            Self::Item(_) => "ITEM_FAILED",
            Self::BatchSize { .. } => "BAD_REPLY",
        }
    }
}
