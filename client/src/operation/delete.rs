//! Removes one value.

use tiny_cache_proto::cache::CacheStatus;

use super::{sealed::Run, unknown_status};
use crate::{call::Call, error::Result, retry::Repetition, transport::rpc};

/// See [`Client::delete`](crate::Client::delete).
#[derive(Debug)]
pub struct Delete<'a> {
    pub(crate) key: &'a str,
}

impl Run for Delete<'_> {
    type Output = Result<()>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        call.check_key(self.key)?;
        let reply = call.make(&rpc::Delete { key: self.key }, Repetition::Harmless).await?;
        match reply.status() {
            CacheStatus::Ok => Ok(()),
            CacheStatus::Unspecified | CacheStatus::Error => Err(unknown_status(reply.status)),
        }
    }
}
