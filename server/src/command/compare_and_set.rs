//! CompareAndSet: replaces one value if it equals the expected one.

use std::iter;

use tiny_cache_proto::{cache::CompareAndSetRequest, key::Key};

use super::contract::{Command, Context};
use crate::{
    call::{Field, RequestMessage, each_field},
    rejection::Rejection,
    store::{Outcome, Ttl},
};

pub(crate) struct CompareAndSet;

/// A key, the value that it must have, and what it is to have instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swap<'a> {
    key: &'a str,
    expected: &'a [u8],
    value: &'a [u8],
    ttl: i32,
}

impl Command for CompareAndSet {
    type Request<'a> = Swap<'a>;
    type Reply<'a> = Outcome;

    const OVER_TIER: bool = true;

    async fn run<'a>(context: &Context<'a>, swap: Swap<'a>) -> Result<Outcome, Rejection> {
        let key = Key::parse(context.namespace, swap.key)?;
        let ttl = Ttl::from_seconds(swap.ttl);
        let Some(tier) = context.through() else {
            return Ok(context.store.compare_and_set(key, swap.expected, swap.value, ttl)?);
        };
        tier.compare_and_set(key, (swap.expected, swap.value), ttl).await
    }
}

impl<'a> From<&'a CompareAndSetRequest> for Swap<'a> {
    fn from(message: &'a CompareAndSetRequest) -> Self {
        let CompareAndSetRequest { key, expected_value, value, ttl } = message;
        Self { key, expected: expected_value, value, ttl: *ttl }
    }
}

impl<'a> RequestMessage<'a> for Swap<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut swap = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, key) => swap.key = key.text()?,
                (2, Field::Bytes(expected)) => swap.expected = expected,
                (3, Field::Bytes(value)) => swap.value = value,
                (4, Field::Number(ttl)) => swap.ttl = ttl as i32,
                _ => return None,
            }
            Some(())
        })?;
        Some(swap)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::once(self.key)
    }

    fn value_bytes(&self) -> usize {
        self.value.len()
    }
}
