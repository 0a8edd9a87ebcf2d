//! Scan: the keys of a namespace, a page at a time.

use std::iter;

use tiny_cache_proto::{
    key::MAX_KEY_CHARS,
    v1::{ScanEntry, ScanReply, ScanRequest},
};
use tokio::task::yield_now;

use super::{durations::ms_left, limit::limit};
use crate::{
    call::{ReplyMessage, ReplyWriter, RequestMessage},
    command::contract::{Command, Context},
    rejection::Rejection,
    store::{Listed, Page},
};

pub(crate) struct Scan;

/// Which keys, and where to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanPage<'a> {
    prefix: &'a str,
    cursor: &'a [u8],
    limit: i32,
}

/// Keys of a page whose request does not say how many.
const USUAL: usize = 1000;

/// Most keys of a page.
const MOST: usize = 10_000;

impl Command for Scan {
    type Request<'a> = ScanPage<'a>;
    type Reply<'a> = ScanReply;

    async fn run<'a>(context: &Context<'a>, request: ScanPage<'a>) -> Result<ScanReply, Rejection> {
        let store = context.store.store();
        let most = limit(request.limit, USUAL, MOST)?;
        let asked = (context.namespace, request.prefix()?);
        let Some(mut scan) = store.scan(asked, request.cursor, most) else {
            let text = "cursor is none of this scan: it is one of another prefix, namespace or \
                        process; begin anew without one";
            return Err(Rejection::Invalid(text.to_owned()));
        };
        while scan.step() {
            yield_now().await;
        }
        let Page { entries, cursor } = scan.page();
        let entries = entries.into_iter().map(entry).collect();
        Ok(ScanReply { entries, cursor: cursor.into(), process_id: store.process_id() })
    }
}

impl<'a> ScanPage<'a> {
    fn prefix(&self) -> Result<&'a str, Rejection> {
        let chars = self.prefix.chars().count();
        if chars <= MAX_KEY_CHARS {
            return Ok(self.prefix);
        }
        let text = format!("prefix has {chars} characters: it has at most {MAX_KEY_CHARS}");
        Err(Rejection::Invalid(text))
    }
}

/// An entry as the message has it.
fn entry(Listed { key, version, value_bytes, ttl_left }: Listed) -> ScanEntry {
    ScanEntry {
        key,
        version: version.get() as i64,
        value_bytes: value_bytes as i64,
        ttl_left_ms: ttl_left.map_or(0, ms_left),
    }
}

impl<'a> From<&'a ScanRequest> for ScanPage<'a> {
    fn from(message: &'a ScanRequest) -> Self {
        Self { prefix: &message.prefix, cursor: &message.cursor, limit: message.limit }
    }
}

impl<'a> RequestMessage<'a> for ScanPage<'a> {
    fn decode(_: &'a [u8]) -> Option<Self> {
        // A page lets other calls go first now and then, which the long way can.
        None
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::empty()
    }
}

impl ReplyMessage for ScanReply {
    fn may_be_withheld(&self) -> bool {
        true
    }

    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}
