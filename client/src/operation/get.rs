//! Reads one value.

use bytes::Bytes;

use super::{Call, Client, Error, ErrorKind, Request, Result, Run, rpc};

impl Client {
    /// Reads a value; `None` is a miss.
    ///
    /// A value of up to 16 KiB is a copy; a larger one is the buffer that it was received in.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", vec![1, 2, 3]).await?;
    /// assert_eq!(client.get("key").await?.as_deref(), Some(&[1, 2, 3][..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The key is not 1 to 256 characters ([`ErrorKind::Validation`]), or the call failed.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn get<'c>(&'c self, key: &'c str) -> Request<'c, Get<'c>> {
        self.request(Get { key })
    }

    /// Reads a value as text; `None` is a miss.
    ///
    /// # Errors
    ///
    /// As [`Client::get`], and [`ErrorKind::NotText`] if the value is not UTF-8.
    ///
    /// [`ErrorKind::NotText`]: crate::ErrorKind::NotText
    pub fn get_text<'c>(&'c self, key: &'c str) -> Request<'c, GetText<'c>> {
        self.request(GetText { key })
    }
}

/// See [`Client::get`].
#[derive(Debug)]
pub struct Get<'a> {
    pub(super) key: &'a str,
}

impl Run for Get<'_> {
    type Output = Result<Option<Bytes>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?.of_key(self.key)?;
        let reply = call.make(&rpc::Get { key: self.key }).await?;
        Ok(reply.found.then_some(reply.value))
    }
}

/// See [`Client::get_text`].
#[derive(Debug)]
pub struct GetText<'a> {
    key: &'a str,
}

impl Run for GetText<'_> {
    type Output = Result<Option<String>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let Some(value) = Get { key: self.key }.run(call).await? else { return Ok(None) };
        String::from_utf8(value.into()).map(Some).map_err(|error| {
            let text = format!("the value of `{}` is not text; get reads its bytes", self.key);
            Error::new(ErrorKind::NotText, text).because(error.utf8_error())
        })
    }
}
