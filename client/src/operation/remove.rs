//! Removes one entry if a condition holds. Repeated only if the server has not executed it.

use tiny_cache_proto::v1::RemoveRequest;

use super::{Call, Client, Request, Result, Run, write::Change};
use crate::condition::Condition;

impl Client {
    /// Removes an entry, if a condition holds.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, Condition, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("lock", "mine").await?;
    /// let released = client.remove("lock").when(Condition::Value("mine".into())).await?;
    /// assert!(released.is_applied());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::write`].
    pub fn remove<'c>(&'c self, key: &'c str) -> Request<'c, Remove<'c>> {
        self.request(Remove { key, condition: None, wants_previous: false })
    }
}

/// See [`Client::remove`].
#[derive(Debug)]
pub struct Remove<'a> {
    key: &'a str,
    condition: Option<Condition>,
    wants_previous: bool,
}

impl Request<'_, Remove<'_>> {
    /// Removes only if this holds.
    pub fn when(self, condition: Condition) -> Self {
        self.with(|remove| remove.condition = Some(condition))
    }

    /// Asks for the value that was there, whether or not it is removed.
    pub fn with_previous(self) -> Self {
        self.with(|remove| remove.wants_previous = true)
    }
}

impl Remove<'_> {
    pub(super) fn message(self) -> RemoveRequest {
        let Self { key, condition, wants_previous } = self;
        RemoveRequest {
            key: key.to_owned(),
            condition: condition.map(Condition::message),
            return_previous: wants_previous,
        }
    }
}

impl Run for Remove<'_> {
    type Output = Result<Change>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let (key, wants_previous) = (self.key, self.wants_previous);
        let call = call?.of_key(key)?;
        Change::of_removal(call.make(&self.message()).await?, wants_previous)
    }
}
