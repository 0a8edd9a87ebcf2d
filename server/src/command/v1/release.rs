//! Release: gives a lease back.

use std::iter;

use tiny_cache_proto::{
    key::Key,
    v1::{ReleaseReply, ReleaseRequest},
};

use crate::{
    call::{Field, ReplyMessage, ReplyWriter, RequestMessage, each_field},
    command::contract::{Command, Context},
    rejection::Rejection,
};

pub(crate) struct Release;

/// A key, and the token of its lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReleaseOne<'a> {
    key: &'a str,
    token: i64,
}

impl Command for Release {
    type Request<'a> = ReleaseOne<'a>;
    type Reply<'a> = ReleaseReply;

    async fn run<'a>(
        context: &Context<'a>,
        request: ReleaseOne<'a>,
    ) -> Result<ReleaseReply, Rejection> {
        let key = Key::parse(context.namespace, request.key)?;
        let place = context.store.store().locate(key);
        let released = context.store.release_at(place, request.token as u64);
        Ok(ReleaseReply { released })
    }
}

impl<'a> From<&'a ReleaseRequest> for ReleaseOne<'a> {
    fn from(message: &'a ReleaseRequest) -> Self {
        Self { key: &message.key, token: message.lease_token }
    }
}

impl<'a> RequestMessage<'a> for ReleaseOne<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, key) => request.key = key.text()?,
                (2, Field::Number(token)) => request.token = token as i64,
                _ => return None,
            }
            Some(())
        })?;
        Some(request)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::once(self.key)
    }
}

impl ReplyMessage for ReleaseReply {
    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}
