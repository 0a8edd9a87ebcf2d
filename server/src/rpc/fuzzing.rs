//! A request's body as messages, from any bytes.

use std::{
    fmt::Debug,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use tiny_cache_proto::{
    PREFIX_BYTES,
    cache::{
        CacheItem, CacheKey, CompareAndSetRequest, Empty, MultiCacheItemRequest,
        MultiCacheKeyRequest,
    },
    codec::CacheCodec,
    v1::BatchRequest,
};
use tonic::{Status, Streaming, codec::Codec};

use super::{
    compression::Coding,
    messages::{Form, Messages},
};
use crate::command::testing::read_as_prost_does;

/// Longest message: small, so that inputs are longer.
const MAX: usize = 1 << 12;

/// Reads a body, and what lies behind its prefix in place. Its first byte chooses the message and its coding, the second where it is cut.
///
/// # Panics
/// The body leads to other messages, or to another refusal, if it arrives in pieces; or a message
/// that is read in place is not the one that prost reads.
pub fn request(bytes: &[u8]) {
    let [choice, piece, body @ ..] = bytes else { return };
    let coding = [Coding::Identity, Coding::Gzip, Coding::Deflate][usize::from(choice >> 4) % 3];
    let form = Form { coding, max: MAX, single: choice & 8 == 0 };
    let read = match choice & 7 {
        0 => same_in_pieces::<CacheKey>,
        1 => same_in_pieces::<CacheItem>,
        2 => same_in_pieces::<CompareAndSetRequest>,
        3 => same_in_pieces::<MultiCacheItemRequest>,
        4 => same_in_pieces::<MultiCacheKeyRequest>,
        5 => same_in_pieces::<Empty>,
        _ => same_in_pieces::<BatchRequest>,
    };
    read(body, usize::from(*piece).max(1), form);
    read_as_prost_does(body.get(PREFIX_BYTES..).unwrap_or_default());
}

fn same_in_pieces<M: Message + Default + Debug + PartialEq + 'static>(
    body: &[u8],
    piece: usize,
    form: Form,
) {
    let whole = messages::<M>(body, body.len().max(1), form);
    assert_eq!(messages::<M>(body, piece, form), whole, "in pieces of {piece} bytes");
}

/// The messages of a body that arrives in pieces, and the refusal that ends it, if one does.
fn messages<M: Message + Default + 'static>(
    body: &[u8],
    piece: usize,
    form: Form,
) -> (Vec<M>, Option<String>) {
    let pieces: Vec<_> = body.chunks(piece).map(Bytes::copy_from_slice).collect();
    let frames = pieces.into_iter().map(|piece| Ok::<_, Status>(Frame::data(piece)));
    let body = Messages::new(StreamBody::new(stream::iter(frames)), form);
    let decoder = CacheCodec::<M, M>::default().decoder();
    let mut read = Streaming::new_request(decoder, body, None, Some(MAX));
    let mut messages = Vec::new();
    let refusal = loop {
        let next = pin!(read.message());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Some(message))) => messages.push(message),
            Poll::Ready(Ok(None)) => break None,
            Poll::Ready(Err(status)) => break Some(status.to_string()),
            Poll::Pending => panic!("the body is there, and is waited for"),
        }
    };
    (messages, refusal)
}
