//! HotKeys: the keys that were asked for most in the last minute, and those with the largest values.

use std::iter;

use tiny_cache_proto::v1::{
    HotKey as SentHot, HotKeysReply, HotKeysRequest, LargeKey as SentLarge,
};
use tokio::task::yield_now;

use super::limit::limit;
use crate::{
    call::{ReplyMessage, ReplyWriter, RequestMessage},
    command::contract::{Command, Context},
    rejection::Rejection,
    store::{HotKey, HotReport, LargeKey},
};

pub(crate) struct HotKeys;

/// How many keys of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HotPage {
    limit: i32,
}

/// Keys of each kind if the request does not say how many.
const USUAL: usize = 10;

/// Most of each kind.
const MOST: usize = 50;

impl Command for HotKeys {
    type Request<'a> = HotPage;
    type Reply<'a> = HotKeysReply;

    async fn run(context: &Context<'_>, request: HotPage) -> Result<HotKeysReply, Rejection> {
        let most = limit(request.limit, USUAL, MOST)?;
        let store = context.store.store();
        let mut sums = store.hot_keys();
        while sums.step() {
            yield_now().await;
        }
        let HotReport { span, requests, hottest, largest } = sums.report(most);
        Ok(HotKeysReply {
            span_ms: span.as_millis() as i64,
            requests: requests as i64,
            hottest: hottest.into_iter().map(hot).collect(),
            largest: largest.into_iter().map(large).collect(),
            process_id: store.process_id(),
        })
    }
}

fn hot(HotKey { namespace, key, requests, error }: HotKey) -> SentHot {
    SentHot { namespace, key, requests: requests as i64, error: error as i64 }
}

fn large(LargeKey { namespace, key, value_bytes }: LargeKey) -> SentLarge {
    SentLarge { namespace, key, value_bytes: value_bytes as i64 }
}

impl From<&HotKeysRequest> for HotPage {
    fn from(message: &HotKeysRequest) -> Self {
        Self { limit: message.limit }
    }
}

impl<'a> RequestMessage<'a> for HotPage {
    fn decode(_: &'a [u8]) -> Option<Self> {
        // Other calls go first after each worker's part, which the long way can have.
        None
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::empty()
    }
}

impl ReplyMessage for HotKeysReply {
    fn may_be_withheld(&self) -> bool {
        true
    }

    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}
