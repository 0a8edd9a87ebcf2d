//! Read: one entry with its version and its times; by wish it lives on.

use std::iter;

use prost::Message;
use tiny_cache_proto::{
    key::Key,
    v1::{Lease, ReadRequest, ReadState},
};

use super::{
    durations::{ms_left, ttl},
    lease::{Granted, LeaseTerms, Leased},
};
use crate::{
    call::{
        Facts, Field, Reads, ReplyMessage, ReplyWriter, RequestMessage, Uses, each_field,
        field_len, number_len,
    },
    command::contract::{Command, Context},
    rejection::Rejection,
    store::{Located, Seen, Ttl},
};

pub(crate) struct Read;

/// A key, and what the reply is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadOne<'a> {
    pub(super) key: &'a str,
    exists_only: bool,
    if_version_not: i64,
    touch_ttl_ms: Option<i64>,
    lease: Option<LeaseTerms>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    found: Option<Seen>,
    /// Another fills what is missing.
    is_busy: bool,
    /// The lease with which the caller fills it.
    lease: Option<Lease>,
    shows_value: bool,
    not_modified: bool,
    /// 0 within a batch.
    process: u32,
}

impl Command for Read {
    type Request<'a> = ReadOne<'a>;
    type Reply<'a> = Sight;

    #[expect(
        clippy::manual_async_fn,
        reason = "that keeps its arguments twice: many may wait here"
    )]
    fn run<'a>(
        context: &Context<'a>,
        request: ReadOne<'a>,
    ) -> impl Future<Output = Result<Sight, Rejection>> + Send {
        async move {
            let key = Key::parse(context.namespace, request.key)?;
            let place = context.store.store().locate(key);
            let sight = match request.lease {
                None => request.apply(context, place)?,
                Some(lease) => {
                    let leased = lease.wait(context, &place, request.touch()?).await?;
                    request.leased(context, place, leased)
                }
            };
            Ok(Sight { process: context.store.store().process_id(), ..sight })
        }
    }
}

impl ReadOne<'_> {
    pub(super) fn apply(
        &self,
        context: &Context<'_>,
        place: Located<'_>,
    ) -> Result<Sight, Rejection> {
        let touch = self.touch()?;
        if let Some(lease) = self.lease {
            return Ok(self.leased(context, place, lease.claim(context, place, touch)?));
        }
        Ok(self.sight(context.store.read_at(place, touch)))
    }

    fn touch(&self) -> Result<Option<Ttl>, Rejection> {
        self.touch_ttl_ms.map(|given| ttl("touch_ttl_ms", given)).transpose()
    }

    fn leased(&self, context: &Context<'_>, place: Located<'_>, leased: Leased) -> Sight {
        let found = match &leased {
            Leased::Found(seen, _) => Some(seen.value.len()),
            Leased::Granted(_) | Leased::Busy | Leased::Missed => None,
        };
        context.store.count_read(context.namespace, found.is_some());
        context.store.note_claim(place, found);
        match leased {
            Leased::Found(seen, granted) => {
                Sight { lease: granted.map(lease), ..self.sight(Some(seen)) }
            }
            Leased::Granted(granted) => Sight { lease: Some(lease(granted)), ..Sight::default() },
            Leased::Busy => Sight { is_busy: true, ..Sight::default() },
            Leased::Missed => Sight::default(),
        }
    }

    fn sight(&self, found: Option<Seen>) -> Sight {
        let version = found.as_ref().map_or(0, |seen| seen.version.get());
        let not_modified = version != 0 && version == self.if_version_not as u64;
        let shows_value = !self.exists_only && !not_modified;
        Sight { found, shows_value, not_modified, ..Sight::default() }
    }
}

impl<'a> From<&'a ReadRequest> for ReadOne<'a> {
    fn from(message: &'a ReadRequest) -> Self {
        Self {
            key: &message.key,
            exists_only: message.exists_only,
            if_version_not: message.if_version_not,
            touch_ttl_ms: message.touch_ttl_ms,
            lease: message.lease.as_ref().map(LeaseTerms::of),
        }
    }
}

impl<'a> RequestMessage<'a> for ReadOne<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, key) => request.key = key.text()?,
                (2, Field::Number(given)) => request.exists_only = given != 0,
                (3, Field::Number(version)) => request.if_version_not = version as i64,
                (4, Field::Number(ttl)) => request.touch_ttl_ms = Some(ttl as i64),
                // A lease may have to be waited for, which the long way does.
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
        Uses { reads: true, writes: self.touch_ttl_ms.is_some() || self.lease.is_some() }
    }
}

impl Sight {
    pub(super) fn is_hit(&self) -> bool {
        self.found.is_some()
    }

    /// Bytes of the value that the reply has.
    pub(super) fn value_bytes(&self) -> usize {
        self.found.as_ref().filter(|_| self.shows_value).map_or(0, |seen| seen.value.len())
    }

    /// Bytes of the message.
    pub(super) fn len(&self) -> usize {
        let numbers: usize = self.numbers().iter().map(|(_, number)| number_len(*number)).sum();
        let lease = self.lease.map_or(0, |lease| field_len(lease.encoded_len()));
        numbers + lease + field_len(self.value_bytes())
    }

    /// The message's numbers, each behind that of its field.
    fn numbers(&self) -> [(u32, u64); 6] {
        let Self { found, not_modified, process, .. } = self;
        let seen = found.as_ref();
        let ttl_left = seen.filter(|seen| !seen.is_stale).and_then(|seen| seen.ttl_left);
        [
            (1, self.state() as u64),
            (3, seen.map_or(0, |seen| seen.version.get())),
            (4, ttl_left.map_or(0, ms_left) as u64),
            (5, seen.map_or(0, |seen| seen.age.as_millis() as u64)),
            (6, u64::from(*not_modified)),
            (7, u64::from(*process)),
        ]
    }

    fn state(&self) -> ReadState {
        match &self.found {
            Some(seen) if seen.is_stale => ReadState::Stale,
            Some(_) => ReadState::Fresh,
            None if self.is_busy => ReadState::Busy,
            None => ReadState::Miss,
        }
    }
}

/// A lease as the message has it.
fn lease(Granted { token, lasts }: Granted) -> Lease {
    Lease { token: token as i64, lease_ms: lasts.as_millis() as i64 }
}

impl ReplyMessage for Sight {
    fn describe(&self, facts: &mut Facts) {
        facts.reads = Reads::One;
        (facts.hits, facts.misses) = if self.is_hit() { (1, 0) } else { (0, 1) };
        facts.value_bytes += self.value_bytes() as u64;
    }

    fn write(&self, message: &mut ReplyWriter) {
        message.numbers(self.numbers());
        if let Some(lease) = &self.lease {
            message.begin_message(8, lease.encoded_len());
            message.fields_of(lease);
        }
        if let Some(seen) = self.found.as_ref().filter(|_| self.shows_value) {
            message.value(2, &seen.value, || seen.value.lend());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU64, time::Duration};

    use proptest::{option, prelude::*};
    use tiny_cache_proto::v1::ReadReply;

    use super::*;
    use crate::{
        command::testing::written,
        store::{Value, Version},
    };

    const LONGEST_MICROS: u64 = 1 << 50;

    prop_compose! {
        fn seen()(
            value in prop::collection::vec(any::<u8>(), 0..300),
            version in 1..=u64::MAX,
            ttl_left in option::of(0..LONGEST_MICROS),
            is_stale: bool,
            age in 0..LONGEST_MICROS,
        ) -> Seen {
            Seen {
                value: Value::holding(&value),
                version: Version::of(NonZeroU64::new(version).unwrap()),
                ttl_left: ttl_left.map(Duration::from_micros),
                is_stale,
                wants_refill: false,
                age: Duration::from_micros(age),
            }
        }
    }

    prop_compose! {
        fn sight()(
            found in option::of(seen()),
            (is_busy, shows_value, not_modified) in any::<(bool, bool, bool)>(),
            lease in option::of((any::<i64>(), any::<i64>())),
            process: u32,
        ) -> Sight {
            let lease = lease.map(|(token, lease_ms)| Lease { token, lease_ms });
            Sight { found, is_busy, lease, shows_value, not_modified, process }
        }
    }

    /// The message as prost would have it.
    fn message(sight: &Sight) -> ReadReply {
        let Sight { lease, process: process_id, not_modified, .. } = *sight;
        let common = ReadReply { lease, process_id, not_modified, ..ReadReply::default() };
        let Some(seen) = &sight.found else {
            let state = if sight.is_busy { ReadState::Busy } else { ReadState::Miss };
            return ReadReply { state: state.into(), ..common };
        };
        let state = if seen.is_stale { ReadState::Stale } else { ReadState::Fresh };
        let left = seen.ttl_left.filter(|_| !seen.is_stale);
        let left = left.map_or(0, |left| left.as_nanos().div_ceil(1_000_000).max(1) as i64);
        let value = if sight.shows_value { seen.value.to_vec() } else { Vec::new() };
        ReadReply {
            state: state.into(),
            value: value.into(),
            version: seen.version.get() as i64,
            ttl_left_ms: left,
            age_ms: seen.age.as_millis() as i64,
            ..common
        }
    }

    proptest! {
        #[test]
        fn a_reply_is_the_messages_fields(sight in sight()) {
            let reply = written::<ReadReply>(&sight);
            prop_assert_eq!(&reply, &message(&sight));
            prop_assert_eq!(reply.encoded_len(), sight.len());
        }
    }
}
