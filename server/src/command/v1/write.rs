//! Write: one value, if its condition holds.

use std::{iter, ops::RangeInclusive, time::Duration};

use rand::RngExt;
use tiny_cache_proto::{key::Key, v1::WriteRequest};

use super::{
    change::{Change, Given},
    durations::{span, ttl},
};
use crate::{
    call::{Field, RequestMessage, Uses, each_field},
    command::contract::{Command, Context},
    rejection::Rejection,
    store::{Content, Life, Located, On, Tags, Ttl},
};

pub(crate) struct Write;

/// A key, what it is to have, and on which condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteOne<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a [u8],
    ttl_ms: i64,
    condition: Option<Given<'a>>,
    return_previous: bool,
    lease_token: i64,
    stale_ms: i64,
    refresh_before_ms: i64,
    ttl_jitter_percent: i32,
    tags: Tags<'a>,
}

/// Milliseconds for which an entry may be stale, and in which it is refreshed: up to 30 days.
const SPAN_MS: RangeInclusive<i64> = 0..=30 * 86_400 * 1000;

impl Command for Write {
    type Request<'a> = WriteOne<'a>;
    type Reply<'a> = Change;

    async fn run<'a>(context: &Context<'a>, request: WriteOne<'a>) -> Result<Change, Rejection> {
        let key = Key::parse(context.namespace, request.key)?;
        let change = request.apply(context, context.store.store().locate(key))?;
        Ok(change.in_process(context.store.store().process_id()))
    }
}

impl WriteOne<'_> {
    pub(super) fn apply(
        &self,
        context: &Context<'_>,
        place: Located<'_>,
    ) -> Result<Change, Rejection> {
        let content = Content { value: self.value, life: self.life()?, tags: self.tags.checked()? };
        let lease = (self.lease_token != 0).then_some(self.lease_token as u64);
        let condition = Given::parse(self.condition)?;
        let on = On { condition, lease, wants_previous: self.return_previous };
        Ok(Change::new(context.store.write_at(place, content, on)?))
    }

    /// How long the entry lives, drawn if its TTL is to be spread.
    fn life(&self) -> Result<Life, Rejection> {
        let ttl = ttl("ttl_ms", self.ttl_ms)?;
        let percent = self.ttl_jitter_percent;
        if !(0..=100).contains(&percent) {
            let text = format!("ttl_jitter_percent is {percent}: it is 0 to 100");
            return Err(Rejection::Invalid(text));
        }
        let stale = span("stale_ms", self.stale_ms, SPAN_MS)?;
        let refresh_before = span("refresh_before_ms", self.refresh_before_ms, SPAN_MS)?;
        let Ttl::For(whole) = ttl else {
            if self.stale_ms | self.refresh_before_ms == 0 {
                return Ok(ttl.into());
            }
            let text = "stale_ms and refresh_before_ms need a ttl_ms: an entry that never expires \
                        is never stale";
            return Err(Rejection::Invalid(text.to_owned()));
        };
        if refresh_before > whole {
            let (span, ttl_ms) = (self.refresh_before_ms, self.ttl_ms);
            let text = format!("refresh_before_ms is {span}: it is at most ttl_ms, {ttl_ms}");
            return Err(Rejection::Invalid(text));
        }
        let ttl = if percent == 0 { ttl } else { Ttl::For(spread(whole, percent)) };
        Ok(Life { stale, refresh_before, ..ttl.into() })
    }
}

/// A time to live that is shorter by a random part, of so many percent at most.
fn spread(whole: Duration, percent: i32) -> Duration {
    let part = f64::from(percent) / 100.0 * rand::rng().random::<f64>();
    whole.mul_f64(1.0 - part).max(Duration::from_millis(1))
}

impl<'a> From<&'a WriteRequest> for WriteOne<'a> {
    fn from(message: &'a WriteRequest) -> Self {
        Self {
            key: &message.key,
            value: &message.value,
            ttl_ms: message.ttl_ms,
            condition: message.condition.as_ref().map(Given::of),
            return_previous: message.return_previous,
            lease_token: message.lease_token,
            stale_ms: message.stale_ms,
            refresh_before_ms: message.refresh_before_ms,
            ttl_jitter_percent: message.ttl_jitter_percent,
            tags: message.tags.iter().map(String::as_str).collect(),
        }
    }
}

impl<'a> RequestMessage<'a> for WriteOne<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, key) => request.key = key.text()?,
                (2, Field::Bytes(value)) => request.value = value,
                (3, Field::Number(ttl)) => request.ttl_ms = ttl as i64,
                // Two conditions are one message in two parts, as no client writes it.
                (4, Field::Bytes(condition)) if request.condition.is_none() => {
                    request.condition = Some(Given::decode(condition)?);
                }
                (5, Field::Number(given)) => request.return_previous = given != 0,
                (6, Field::Number(token)) => request.lease_token = token as i64,
                (7, Field::Number(span)) => request.stale_ms = span as i64,
                (8, Field::Number(span)) => request.refresh_before_ms = span as i64,
                (9, Field::Number(percent)) => request.ttl_jitter_percent = percent as i32,
                (10, tag) => request.tags.add(tag.text()?),
                _ => return None,
            }
            Some(())
        })?;
        Some(request)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::once(self.key)
    }

    fn value_bytes(&self) -> usize {
        self.value.len()
    }

    fn uses(&self) -> Uses {
        Uses { reads: self.return_previous, writes: true }
    }
}
