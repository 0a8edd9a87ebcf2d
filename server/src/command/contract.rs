//! What every command is, and what it works with.

use tiny_cache_proto::key::Namespace;
use tokio_util::sync::CancellationToken;

use super::through::Through;
use crate::{
    call::{Hands, ReplyMessage, RequestMessage, Terms},
    pinned::PinnedLimit,
    rejection::Rejection,
    store::StoreHandle,
    tier::Tier,
};

/// An RPC. Each way of a call decodes the request, runs the command and writes the reply. A message
/// that is answered at once waits for nothing, but a long batch lets others go first now and then, a
/// read may wait for a lease, and what is not near waits for the second tier, where there is one.
pub(crate) trait Command {
    type Request<'a>: RequestMessage<'a>;
    type Reply<'a>: ReplyMessage;

    /// Whether it works where there is a second tier. It does not unless it says so: run on the
    /// near part alone, it would miss what the tier has. Versions and leases are of one node.
    const OVER_TIER: bool = false;

    /// Answers from the near part alone, where there is a second tier under it. Nothing is counted:
    /// all keys are hits if the call is admitted. `None`: it does not suffice.
    fn near<'a>(_context: &Context<'a>, _request: &Self::Request<'a>) -> Option<Self::Reply<'a>> {
        None
    }

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
    /// `None`: the store has everything.
    pub(crate) tier: Option<&'a Tier>,
    pub(crate) namespace: Namespace<'a>,
    pub(crate) bounds: Bounds,
    pub(crate) terms: &'a Terms,
    /// Set when nobody may wait any more.
    pub(crate) drain: &'a CancellationToken,
    /// What its caller is handed to hold; none for a call that is answered at once.
    pub(crate) hands: Option<&'a Hands>,
}

impl<'a> Context<'a> {
    /// The way over the second tier, where there is one.
    pub(super) fn through(&self) -> Option<Through<'a>> {
        let (store, tier) = (self.store, self.tier?);
        let traced = self.hands.filter(|_| self.terms.is_traced);
        Some(Through { store, tier, traced })
    }
}

/// The bounds of every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Items of a batch.
    pub(crate) max_batch_items: usize,
    /// Bytes of a reply's message.
    pub(crate) max_reply_bytes: usize,
    /// Beyond it no large value is sent.
    pub(crate) pinned: PinnedLimit,
}
