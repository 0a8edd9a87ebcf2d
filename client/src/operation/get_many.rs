//! Reads many values.

use bytes::Bytes;

use super::{
    Call, Client, Request,
    batch::{Batch, Results, complete, item_error},
    rpc,
};

impl Client {
    /// Reads many values: one result for each key, in the keys' order.
    ///
    /// Accepts any number of keys: sends more than a thousand in parts, four at once, and asks
    /// again for the values that a reply had no room for.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set_many([("a", "1"), ("b", "2")]).await?;
    /// let found = client.get_many(["b", "c", "a"]).await?;
    /// let found: Vec<_> = found.into_iter().collect::<Result<_, _>>()?;
    /// assert_eq!(found, [Some("2".into()), None, Some("1".into())]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A key that is not 1 to 256 characters ([`ErrorKind::Validation`]) or a value too large for
    /// any reply ([`ErrorKind::ResourceExhausted`]) fails its own item. A failed call fails the
    /// batch; of several servers, the items of its server.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::ResourceExhausted`]: crate::ErrorKind::ResourceExhausted
    pub fn get_many<'c, K>(
        &'c self,
        keys: impl IntoIterator<Item = &'c K>,
    ) -> Request<'c, GetMany<'c>>
    where
        K: AsRef<str> + ?Sized + 'c,
    {
        self.request(GetMany { keys: keys.into_iter().map(AsRef::as_ref).collect() })
    }
}

/// See [`Client::get_many`].
#[derive(Debug)]
pub struct GetMany<'a> {
    keys: Vec<&'a str>,
}

impl Batch for GetMany<'_> {
    type Outcome = Option<Bytes>;

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().copied()
    }

    async fn send(&self, call: &Call<'_>, places: &[usize]) -> Results<Option<Bytes>> {
        let mut results: Vec<_> = places.iter().map(|_| Ok(None)).collect();
        // Asks again for the values that a reply had no room for, until no further value comes.
        let mut open: Vec<usize> = (0..places.len()).collect();
        loop {
            let keys: Vec<_> = open.iter().map(|&n| self.keys[places[n]]).collect();
            let reply = call.make(&rpc::MultiGet { keys: &keys }).await?;
            complete(reply.items.len(), open.len())?;
            let mut left = Vec::new();
            for (&n, item) in open.iter().zip(reply.items) {
                results[n] = if item.error.is_empty() {
                    Ok(item.found.then_some(item.value))
                } else {
                    left.push(n);
                    Err(item_error(item.error))
                };
            }
            if left.is_empty() || left.len() == open.len() {
                return Ok(results);
            }
            open = left;
        }
    }
}
