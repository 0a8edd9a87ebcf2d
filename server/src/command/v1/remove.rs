//! Remove: takes one entry away, if its condition holds.

use std::iter;

use tiny_cache_proto::{key::Key, v1::RemoveRequest};

use super::change::{Change, Given};
use crate::{
    call::{Field, RequestMessage, Uses, each_field},
    command::contract::{Command, Context},
    rejection::Rejection,
    store::{Condition, Located},
};

pub(crate) struct Remove;

/// A key, and the condition on which its entry goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemoveOne<'a> {
    pub(super) key: &'a str,
    condition: Option<Given<'a>>,
    return_previous: bool,
}

impl Command for Remove {
    type Request<'a> = RemoveOne<'a>;
    type Reply<'a> = Change;

    async fn run<'a>(context: &Context<'a>, request: RemoveOne<'a>) -> Result<Change, Rejection> {
        let key = Key::parse(context.namespace, request.key)?;
        let change = request.apply(context, context.store.store().locate(key))?;
        Ok(change.in_process(context.store.store().process_id()))
    }
}

impl RemoveOne<'_> {
    pub(super) fn apply(
        &self,
        context: &Context<'_>,
        place: Located<'_>,
    ) -> Result<Change, Rejection> {
        let condition = Given::parse(self.condition)?;
        if condition == Condition::Absent {
            let text = "condition.presence is 1, absent: there would be nothing to remove";
            return Err(Rejection::Invalid(text.to_owned()));
        }
        Ok(Change::new(context.store.remove_at(place, condition, self.return_previous)))
    }
}

impl<'a> From<&'a RemoveRequest> for RemoveOne<'a> {
    fn from(message: &'a RemoveRequest) -> Self {
        Self {
            key: &message.key,
            condition: message.condition.as_ref().map(Given::of),
            return_previous: message.return_previous,
        }
    }
}

impl<'a> RequestMessage<'a> for RemoveOne<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, key) => request.key = key.text()?,
                // Two conditions are one message in two parts, as no client writes it.
                (2, Field::Bytes(condition)) if request.condition.is_none() => {
                    request.condition = Some(Given::decode(condition)?);
                }
                (3, Field::Number(given)) => request.return_previous = given != 0,
                _ => return None,
            }
            Some(())
        })?;
        Some(request)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::once(self.key)
    }

    fn uses(&self) -> Uses {
        Uses { reads: self.return_previous, writes: true }
    }
}
