//! What a connection asks of those that answer its requests.

use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tiny_cache_http2::{Connection, Gone, Head, Lane, Reply, StreamId};

use super::messages;
use crate::transport::incoming::Incoming;

/// What answers the requests of a connection.
pub(crate) trait Answers {
    /// The header fields that [`Self::answer`] reads, by their places.
    const NAMES: &'static [&'static str];

    /// What a request becomes that is not answered at once.
    type Call: Future<Output = Response<Self::Body>> + Unpin;
    type Body: Body<Data = Bytes> + Unpin;

    /// Chooses by the pseudo-header fields how a request comes.
    fn lane(head: &Head) -> Lane;

    /// Answers a request that has come whole, or returns that it is for [`Self::call`].
    fn answer(&self, request: Unary<'_>) -> Answered;

    /// Begins to answer a request.
    fn call(&self, request: Request<Incoming>) -> Self::Call;
}

/// What became of a request that has come whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    Yes,
    No,
}

/// A request that has come whole, and the way to answer it.
pub(crate) struct Unary<'a> {
    pub(crate) head: &'a Head,
    pub(crate) body: &'a [u8],
    /// When its head was read.
    pub(crate) came: Instant,
    /// When the last of it was read, with whatever else the turn answers.
    pub(crate) turn: Instant,
    pub(crate) reply: ReplyTo<'a>,
}

/// Where the reply to a request goes.
pub(crate) struct ReplyTo<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) stream: StreamId,
}

impl ReplyTo<'_> {
    /// Sends a whole reply. A peer that has given the request up gets none.
    pub(crate) fn send(self, reply: Reply<'_>) {
        let (Ok(()) | Err(Gone)) = self.connection.reply(self.stream, reply);
    }

    /// Sends a reply that is one header block.
    pub(crate) fn send_headers<B>(self, response: &Response<B>) {
        let head = messages::reply_head(response);
        let (Ok(()) | Err(Gone)) = self.connection.begin(self.stream, &head, &[], true);
    }
}
