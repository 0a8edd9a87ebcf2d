//! Makes the values of tags, or of a whole namespace, unreadable. Repeated if it fails.

use futures::future::try_join_all;
use tiny_cache_proto::v1::InvalidateRequest;

use super::{Call, Client, Request, Result, Run};

impl Client {
    /// Makes every value unreadable that was written with one of these
    /// [tags](Request::tags), in the namespace of the call. It takes the server no longer for
    /// millions of them than for one. Of several servers, all are asked.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// let _ = client.write("page:7", "a page").tags(["author:3", "news"]).await?;
    /// client.invalidate(["author:3"]).await?;
    /// assert_eq!(client.get("page:7").await?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) without tags, with more than
    /// the server takes (`CACHE_MAX_BATCH_ITEMS`), or for one that is empty or has more than 128
    /// bytes; otherwise as [`Client::delete`]. Where one of several servers fails, the others may
    /// have done it: ask again.
    pub fn invalidate<S: Into<String>>(
        &self,
        tags: impl IntoIterator<Item = S>,
    ) -> Request<'_, Invalidate> {
        let tags = tags.into_iter().map(Into::into).collect();
        self.request(Invalidate(InvalidateRequest { tags, whole_namespace: false }))
    }

    /// Makes every value of the namespace of the call unreadable; without a namespace, every value of
    /// the shared keyspace. Likewise.
    ///
    /// # Errors
    ///
    /// As [`Client::delete`].
    pub fn invalidate_namespace(&self) -> Request<'_, Invalidate> {
        self.request(Invalidate(InvalidateRequest { tags: Vec::new(), whole_namespace: true }))
    }
}

/// See [`Client::invalidate`].
#[derive(Debug)]
pub struct Invalidate(InvalidateRequest);

impl Run for Invalidate {
    type Output = Result<()>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let (Self(request), call) = (self, call?);
        let Some(members) = call.members().await? else {
            call.make(&request).await?;
            return Ok(());
        };
        let asked = members.iter().map(|member| {
            let (call, request) = (call.to(member), &request);
            async move { call.make(request).await }
        });
        try_join_all(asked).await?;
        Ok(())
    }
}
