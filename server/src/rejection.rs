//! Everything that a command may refuse, and the one place that turns it into a status.

use thiserror::Error;
use tiny_cache_proto::key::{InvalidKey, InvalidNamespace};
use tonic::Status;

use crate::store::Refused;

/// A request, or an item of a batch, that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Rejection {
    #[error(transparent)]
    Namespace(#[from] InvalidNamespace),
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error(transparent)]
    Store(#[from] Refused),
    #[error("Batch of {items} items is too large (max {max}, CACHE_MAX_BATCH_ITEMS)")]
    BatchTooLarge { items: usize, max: usize },
    #[error("Reply would exceed the message limit of {max} bytes")]
    ReplyTooLarge { max: usize },
    #[error("The deadline passed before all of the batch was carried out")]
    DeadlineExceeded,
}

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            Rejection::Namespace(InvalidNamespace)
            | Rejection::Key(
                InvalidKey::Empty | InvalidKey::TooLong | InvalidKey::NamespacedTooLong,
            )
            | Rejection::BatchTooLarge { .. } => Status::invalid_argument(message),
            Rejection::Store(Refused::Oversize) | Rejection::ReplyTooLarge { .. } => {
                Status::resource_exhausted(message)
            }
            Rejection::DeadlineExceeded => Status::deadline_exceeded(message),
        }
    }
}
