//! Add: one step of a counter.

use std::iter;

use tiny_cache_proto::{
    key::Key,
    v1::{AddOutcome as Told, AddReply, AddRequest, AtBound},
};

use super::durations::{ms_left, ttl};
use crate::{
    call::{Field, ReplyMessage, ReplyWriter, RequestMessage, Uses, each_field},
    command::contract::{Command, Context},
    rejection::Rejection,
    store::{AddOutcome, Added, Addition, Beyond, Located, TtlOf},
};

pub(crate) struct Add;

/// A key, and what is added to its counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddOne<'a> {
    pub(super) key: &'a str,
    delta: i64,
    initial: i64,
    ttl_ms: i64,
    renew_ttl: bool,
    least: Option<i64>,
    most: Option<i64>,
    at_bound: i32,
}

impl Command for Add {
    type Request<'a> = AddOne<'a>;
    type Reply<'a> = AddReply;

    async fn run<'a>(context: &Context<'a>, request: AddOne<'a>) -> Result<AddReply, Rejection> {
        let key = Key::parse(context.namespace, request.key)?;
        let reply = request.apply(context, context.store.store().locate(key))?;
        Ok(AddReply { process_id: context.store.store().process_id(), ..reply })
    }
}

impl AddOne<'_> {
    pub(super) fn apply(
        &self,
        context: &Context<'_>,
        place: Located<'_>,
    ) -> Result<AddReply, Rejection> {
        let Added { outcome, value, version, ttl_left } =
            context.store.add_at(place, self.addition()?)?;
        let outcome = match outcome {
            AddOutcome::Added => Told::Added,
            AddOutcome::Saturated => Told::Saturated,
            AddOutcome::Refused => Told::Refused,
        };
        Ok(AddReply {
            outcome: outcome.into(),
            value,
            version: version.map_or(0, |version| version.get() as i64),
            ttl_left_ms: ttl_left.map_or(0, ms_left),
            process_id: 0,
        })
    }

    fn addition(&self) -> Result<Addition, Rejection> {
        let Self { delta, initial, .. } = *self;
        let bounds = (self.least.unwrap_or(i64::MIN), self.most.unwrap_or(i64::MAX));
        if bounds.0 > bounds.1 {
            let text =
                format!("least is {}, and most {}: most is no less than least", bounds.0, bounds.1);
            return Err(Rejection::Invalid(text));
        }
        let beyond = match AtBound::try_from(self.at_bound) {
            Ok(AtBound::Unspecified | AtBound::Refuse) => Beyond::Refuse,
            Ok(AtBound::Saturate) => Beyond::Saturate,
            Err(_) => {
                let text = format!("at_bound is {}: it is 0 to 2", self.at_bound);
                return Err(Rejection::Invalid(text));
            }
        };
        let ttl = ttl("ttl_ms", self.ttl_ms)?;
        let ttl_of = if self.renew_ttl { TtlOf::Step } else { TtlOf::Creation };
        Ok(Addition { delta, initial, bounds, beyond, ttl, ttl_of })
    }
}

impl<'a> From<&'a AddRequest> for AddOne<'a> {
    fn from(message: &'a AddRequest) -> Self {
        Self {
            key: &message.key,
            delta: message.delta,
            initial: message.initial,
            ttl_ms: message.ttl_ms,
            renew_ttl: message.renew_ttl,
            least: message.least,
            most: message.most,
            at_bound: message.at_bound,
        }
    }
}

impl<'a> RequestMessage<'a> for AddOne<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, key) => request.key = key.text()?,
                (2, Field::Number(delta)) => request.delta = delta as i64,
                (3, Field::Number(initial)) => request.initial = initial as i64,
                (4, Field::Number(ttl)) => request.ttl_ms = ttl as i64,
                (5, Field::Number(given)) => request.renew_ttl = given != 0,
                (6, Field::Number(least)) => request.least = Some(least as i64),
                (7, Field::Number(most)) => request.most = Some(most as i64),
                (8, Field::Number(at_bound)) => request.at_bound = at_bound as i32,
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
        // The reply has the value.
        Uses::ALL
    }
}

impl ReplyMessage for AddReply {
    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}
