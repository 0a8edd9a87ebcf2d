//! Everything that is refused to a caller, and the one place that turns it into a status.

use thiserror::Error;
use tiny_cache_proto::key::{InvalidKey, InvalidNamespace};
use tonic::{Code, Status, metadata::MetadataMap};

use crate::{
    access::{Denied, Refusal},
    store::{NoCounter, NotAdded, Refused, TagError, TooManyInvalidations},
    tier::Down,
};

/// A request, or an item of a batch, that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Rejection {
    #[error(transparent)]
    Namespace(#[from] InvalidNamespace),
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error(transparent)]
    Store(#[from] Refused),
    #[error(transparent)]
    NoCounter(#[from] NoCounter),
    #[error(transparent)]
    Tag(#[from] TagError),
    #[error(transparent)]
    Invalidations(#[from] TooManyInvalidations),
    #[error("Batch of {items} items is too large (max {max}, CACHE_MAX_BATCH_ITEMS)")]
    BatchTooLarge { items: usize, max: usize },
    #[error("Reply would exceed the message limit of {max} bytes")]
    ReplyTooLarge { max: usize },
    #[error("Too many large replies wait for slow readers; try again in some seconds")]
    RepliesUnread,
    #[error("The server drains, and nobody may wait any more")]
    Draining,
    #[error("The deadline passed before all of the batch was carried out")]
    DeadlineExceeded,
    /// A field of a request, what it is and what it may be.
    #[error("{0}")]
    Invalid(String),
    /// The message needs a right beside that of its RPC. `rpc` has the words.
    #[error("The call needs a right that its caller does not have")]
    Lacks,
    #[error(transparent)]
    Access(Box<Denied>),
    #[error(transparent)]
    Tier(#[from] Down),
    #[error(
        "tinycache.v1 keeps versions and leases on one node, and this one has a second tier \
         (CACHE_BACKEND); use package cache, as the commands get, set and delete do"
    )]
    OverTier,
    #[error("This server does not tell what other memory would give: set CACHE_WHAT_IF to true")]
    NoWhatIf,
}

impl From<NotAdded> for Rejection {
    fn from(why: NotAdded) -> Self {
        match why {
            NotAdded::NoCounter(no_counter) => Self::NoCounter(no_counter),
            NotAdded::Refused(refused) => Self::Store(refused),
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denied) => Self::Access(denied),
            Refusal::Namespace(invalid) => Self::Namespace(invalid),
        }
    }
}

/// When a client that repeats calls may repeat this one, in milliseconds (gRPC's proposal A6).
const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            Rejection::Namespace(InvalidNamespace)
            | Rejection::Key(
                InvalidKey::Empty | InvalidKey::TooLong | InvalidKey::NamespacedTooLong,
            )
            | Rejection::BatchTooLarge { .. }
            | Rejection::Tag(_)
            | Rejection::Invalid(_) => Status::invalid_argument(message),
            Rejection::Store(Refused::Oversize)
            | Rejection::Tier(Down::Full)
            | Rejection::Invalidations(TooManyInvalidations)
            | Rejection::ReplyTooLarge { .. }
            | Rejection::RepliesUnread => Status::resource_exhausted(message),
            Rejection::Store(Refused::OverQuota(over)) => {
                let mut metadata = MetadataMap::new();
                if let Some(wait) = over.retry_after() {
                    metadata.insert(RETRY_PUSHBACK, (wait.as_millis() as u64).into());
                }
                Status::with_metadata(Code::ResourceExhausted, message, metadata)
            }
            Rejection::OverTier => Status::unimplemented(message),
            Rejection::NoCounter(NoCounter)
            | Rejection::NoWhatIf
            | Rejection::Tier(Down::Foreign(_)) => Status::failed_precondition(message),
            Rejection::Lacks => Status::permission_denied(message),
            Rejection::Draining | Rejection::Tier(Down::Apart | Down::Unsure | Down::Replica) => {
                Status::unavailable(message)
            }
            Rejection::DeadlineExceeded => Status::deadline_exceeded(message),
            Rejection::Access(denied) if denied.is_known() => Status::permission_denied(message),
            Rejection::Access(_) => Status::unauthenticated(message),
        }
    }
}
