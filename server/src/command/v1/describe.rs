//! Describe: what is known of one entry, beside its value.

use tiny_cache_proto::{
    key::Key,
    v1::{DescribeReply, DescribeRequest, Place as Told, ReadState},
};

use super::durations::ms_left;
use crate::{
    call::{ReplyMessage, ReplyWriter},
    command::{
        contract::{Command, Context},
        get::OneKey,
    },
    rejection::Rejection,
    store::{Description, Standing},
};

pub(crate) struct Describe;

impl Command for Describe {
    type Request<'a> = OneKey<'a>;
    type Reply<'a> = DescribeReply;

    async fn run<'a>(
        context: &Context<'a>,
        request: OneKey<'a>,
    ) -> Result<DescribeReply, Rejection> {
        let key = Key::parse(context.namespace, request.key)?;
        let store = context.store.store();
        let base = DescribeReply {
            state: ReadState::Miss.into(),
            process_id: store.process_id(),
            ..DescribeReply::default()
        };
        Ok(store.describe(key).map_or(base.clone(), |description| reply(description, base)))
    }
}

fn reply(description: Description, base: DescribeReply) -> DescribeReply {
    let Description { version, age, ttl_left, is_stale, stale_left, .. } = description;
    let state = if is_stale { ReadState::Stale } else { ReadState::Fresh };
    let (place, window_reads, residents_since_use) = match description.standing {
        Standing::Window { reads } => (Told::Window, reads.into(), None),
        Standing::Resident { residents_since_use } => (Told::Resident, 0, residents_since_use),
    };
    DescribeReply {
        state: state.into(),
        version: version.get() as i64,
        age_ms: age.as_millis() as i64,
        ttl_left_ms: ttl_left.filter(|_| !is_stale).map_or(0, ms_left),
        stale_left_ms: if stale_left.is_zero() { 0 } else { ms_left(stale_left) },
        value_bytes: description.value_bytes as i64,
        memory_bytes: description.memory_bytes as i64,
        place: place.into(),
        window_reads,
        residents_since_use: residents_since_use.map(|residents| residents as i64),
        tags: description.tags,
        ..base
    }
}

impl<'a> From<&'a DescribeRequest> for OneKey<'a> {
    fn from(message: &'a DescribeRequest) -> Self {
        Self { key: &message.key }
    }
}

impl ReplyMessage for DescribeReply {
    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}
