//! Invalidate: makes the entries of tags, or of a whole namespace, unreadable.

use std::iter;

use tiny_cache_proto::v1::{InvalidateReply, InvalidateRequest};

use crate::{
    call::{Field, ReplyMessage, ReplyWriter, RequestMessage, each_field},
    command::contract::{Command, Context},
    rejection::Rejection,
    store::{self, Scope},
};

pub(crate) struct Invalidate;

/// What is to become unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InvalidateAll<'a> {
    tags: Vec<&'a str>,
    whole_namespace: bool,
}

impl Command for Invalidate {
    type Request<'a> = InvalidateAll<'a>;
    type Reply<'a> = InvalidateReply;

    async fn run<'a>(
        context: &Context<'a>,
        request: InvalidateAll<'a>,
    ) -> Result<InvalidateReply, Rejection> {
        context.store.invalidate(context.namespace, request.scope(context)?)?;
        Ok(InvalidateReply { process_id: context.store.store().process_id() })
    }
}

impl InvalidateAll<'_> {
    fn scope(&self, context: &Context<'_>) -> Result<Scope<'_>, Rejection> {
        match (self.whole_namespace, &self.tags[..]) {
            (true, []) => Ok(Scope::Namespace),
            (false, tags @ [_, ..]) => {
                let max = context.bounds.max_batch_items.min(store::MOST_INVALIDATIONS);
                if tags.len() > max {
                    let given = tags.len();
                    let text = format!(
                        "{given} tags are too many at once (max {max}): invalidate the namespace"
                    );
                    return Err(Rejection::Invalid(text));
                }
                tags.iter().try_for_each(|tag| store::check_tag(tag))?;
                Ok(Scope::Tags(tags))
            }
            _ => {
                let text = "Invalidate takes tags, or whole_namespace, and not both";
                Err(Rejection::Invalid(text.to_owned()))
            }
        }
    }
}

impl<'a> From<&'a InvalidateRequest> for InvalidateAll<'a> {
    fn from(message: &'a InvalidateRequest) -> Self {
        let tags = message.tags.iter().map(String::as_str).collect();
        Self { tags, whole_namespace: message.whole_namespace }
    }
}

impl<'a> RequestMessage<'a> for InvalidateAll<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, tag) => request.tags.push(tag.text()?),
                (2, Field::Number(given)) => request.whole_namespace = given != 0,
                _ => return None,
            }
            Some(())
        })?;
        Some(request)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::empty()
    }
}

impl ReplyMessage for InvalidateReply {
    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}
