//! Writes one value.

use std::time::Duration;

use bytes::Bytes;
use tiny_cache_proto::cache::CacheStatus;

use super::{batch::ttl_or, sealed::Run, unknown_status, with_size};
use crate::{call::Call, error::Result, request::Request, retry::Repetition, transport::rpc};

/// See [`Client::set`](crate::Client::set).
#[derive(Debug)]
pub struct Set<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: Bytes,
    pub(crate) ttl: Option<Duration>,
}

impl Request<'_, Set<'_>> {
    /// Lets the entry live this long, in place of the client's default; zero never expires.
    ///
    /// A part of a second counts as one.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.operation.ttl = Some(ttl);
        self
    }
}

impl Run for Set<'_> {
    type Output = Result<()>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        call.check_key(self.key)?;
        let ttl = ttl_or(self.ttl, call.core())?.seconds();
        let set = rpc::Set { key: self.key, value: &self.value, ttl };
        let reply = call.make(&set, Repetition::Harmless).await;
        let reply = reply.map_err(|error| with_size(error, self.value.len()))?;
        match reply.status() {
            CacheStatus::Ok => Ok(()),
            CacheStatus::Unspecified | CacheStatus::Error => Err(unknown_status(reply.status)),
        }
    }
}
