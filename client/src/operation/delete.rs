//! Removes one value.

use super::{Call, Client, Request, Result, Run, batch::result, rpc};

impl Client {
    /// Removes a value if there is one.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub fn delete<'c>(&'c self, key: &'c str) -> Request<'c, Delete<'c>> {
        self.request(Delete { key })
    }
}

/// See [`Client::delete`].
#[derive(Debug)]
pub struct Delete<'a> {
    key: &'a str,
}

impl Run for Delete<'_> {
    type Output = Result<()>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?.of_key(self.key)?;
        let reply = call.make(&rpc::Delete { key: self.key }).await?;
        result(reply)
    }
}
