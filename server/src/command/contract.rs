//! What every command is, and what it works with.

use std::time::Instant;

use tiny_cache_proto::key::Namespace;

use crate::{
    call::{ReplyMessage, RequestMessage},
    rejection::Rejection,
    store::StoreHandle,
};

/// An RPC of the contract. Each way of a call decodes the request, runs the command and writes the
/// reply. A command waits for nothing, but a long one lets others go first now and then.
pub(crate) trait Command {
    type Request<'a>: RequestMessage<'a>;
    type Reply<'a>: ReplyMessage;

    fn run<'a>(
        context: &Context<'a>,
        request: Self::Request<'a>,
    ) -> impl Future<Output = Result<Self::Reply<'a>, Rejection>> + Send;
}

/// Items of a batch that are carried out in one go: about a millisecond. A message with no more
/// never lets others go first.
pub(crate) const GROUP: usize = 128;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) store: &'a StoreHandle,
    pub(crate) namespace: Namespace<'a>,
    pub(crate) bounds: Bounds,
    /// When the caller stops waiting.
    pub(crate) deadline: Option<Instant>,
}

/// The bounds of every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Items of a batch.
    pub(crate) max_batch_items: usize,
    /// Bytes of a reply's message.
    pub(crate) max_reply_bytes: usize,
}
