//! Writes one value if a condition holds. Never repeated where the server may have done it.

use std::time::Duration;

use bytes::Bytes;
use tiny_cache_proto::cache::ConditionalCacheStatus as Status;

use super::{batch::ttl_or, sealed::Run, unknown_status, with_size};
use crate::{call::Call, error::Result, request::Request, retry::Repetition, transport::rpc};

/// See [`Client::set_if_absent`](crate::Client::set_if_absent).
#[derive(Debug)]
pub struct SetIfAbsent<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: Bytes,
    pub(crate) ttl: Option<Duration>,
}

/// What became of a [`set_if_absent`](crate::Client::set_if_absent).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum SetIfAbsentOutcome {
    /// Nothing was there, and now the value is.
    Stored,
    /// A live value was there, and still is.
    Exists,
}

impl SetIfAbsentOutcome {
    /// Whether the value was written.
    #[must_use]
    pub fn is_stored(self) -> bool {
        self == Self::Stored
    }
}

impl Request<'_, SetIfAbsent<'_>> {
    /// Lets the entry live this long, in place of the client's default; zero never expires.
    ///
    /// A part of a second counts as one.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.operation.ttl = Some(ttl);
        self
    }
}

impl Run for SetIfAbsent<'_> {
    type Output = Result<SetIfAbsentOutcome>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        call.check_key(self.key)?;
        let ttl = ttl_or(self.ttl, call.core())?.seconds();
        let set = rpc::SetIfAbsent { key: self.key, value: &self.value, ttl };
        let reply = call.make(&set, Repetition::ChangesOutcome).await;
        let reply = reply.map_err(|error| with_size(error, self.value.len()))?;
        match reply.status() {
            Status::Stored => Ok(SetIfAbsentOutcome::Stored),
            Status::Exists => Ok(SetIfAbsentOutcome::Exists),
            Status::Unspecified | Status::NotFound | Status::Mismatch => {
                Err(unknown_status(reply.status))
            }
        }
    }
}

/// See [`Client::compare_and_set`](crate::Client::compare_and_set).
#[derive(Debug)]
pub struct CompareAndSet<'a> {
    pub(crate) key: &'a str,
    pub(crate) expected: Bytes,
    pub(crate) value: Bytes,
    pub(crate) ttl: Option<Duration>,
}

/// What became of a [`compare_and_set`](crate::Client::compare_and_set).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum CompareAndSetOutcome {
    /// The expected value was there, and now the new one is.
    Stored,
    /// Nothing was there.
    NotFound,
    /// Another value was there, and still is.
    Mismatch,
}

impl CompareAndSetOutcome {
    /// Whether the value was written.
    #[must_use]
    pub fn is_stored(self) -> bool {
        self == Self::Stored
    }
}

impl Request<'_, CompareAndSet<'_>> {
    /// Lets the entry live this long, in place of the client's default; zero never expires.
    ///
    /// A part of a second counts as one.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.operation.ttl = Some(ttl);
        self
    }
}

impl Run for CompareAndSet<'_> {
    type Output = Result<CompareAndSetOutcome>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        call.check_key(self.key)?;
        let ttl = ttl_or(self.ttl, call.core())?.seconds();
        let Self { key, expected, value, .. } = &self;
        let compare_and_set = rpc::CompareAndSet { key, expected, value, ttl };
        let reply = call.make(&compare_and_set, Repetition::ChangesOutcome).await;
        let reply = reply.map_err(|error| with_size(error, value.len().max(expected.len())))?;
        match reply.status() {
            Status::Stored => Ok(CompareAndSetOutcome::Stored),
            Status::NotFound => Ok(CompareAndSetOutcome::NotFound),
            Status::Mismatch => Ok(CompareAndSetOutcome::Mismatch),
            Status::Unspecified | Status::Exists => Err(unknown_status(reply.status)),
        }
    }
}
