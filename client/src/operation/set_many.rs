//! Writes many values.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Call, Client, Request, Result, Run, WriteOperation,
    batch::{self, Batch, Results, results},
    rpc,
};
use crate::ttl::Ttl;

impl Client {
    /// Writes many values: one result for each item, in the items' order.
    ///
    /// An item is a pair of key and value, or an [`Item`] with its own TTL. Accepts any number of
    /// items: sends more than a thousand, or a megabyte, in parts, four at once. A key that occurs
    /// twice gets one of its values.
    ///
    /// # Errors
    ///
    /// A key that is not 1 to 256 characters ([`ErrorKind::Validation`]) or a value that is too
    /// large ([`ErrorKind::ResourceExhausted`]) fails its own item. A failed call fails the batch;
    /// some items may have been written. Of several servers it fails the items of its server.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::ResourceExhausted`]: crate::ErrorKind::ResourceExhausted
    pub fn set_many<I: Into<Item>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Request<'_, SetMany> {
        let items = items.into_iter().map(Into::into).collect();
        self.request(SetMany { items })
    }
}

/// A key and a value to write, see [`Client::set_many`].
///
/// ```
/// use std::time::Duration;
/// use tiny_cache_client::Item;
///
/// let plain: Item = ("key", "value").into();
/// let short = Item::new("key", "value").ttl(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
pub struct Item {
    key: String,
    value: Bytes,
    ttl: Option<Duration>,
}

impl Item {
    /// An item without a TTL of its own.
    pub fn new(key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), value: value.into(), ttl: None }
    }

    /// Sets the TTL of this item, in place of the batch's; zero never expires.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

impl<K: Into<String>, V: Into<Bytes>> From<(K, V)> for Item {
    fn from((key, value): (K, V)) -> Self {
        Self::new(key, value)
    }
}

/// See [`Client::set_many`].
#[derive(Debug)]
pub struct SetMany {
    items: Vec<Item>,
}

impl WriteOperation for SetMany {}

impl Run for SetMany {
    type Output = Results<()>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        let ttls = self.items.iter().map(|item| call.ttl(item.ttl));
        let ttls = ttls.collect::<Result<Vec<_>>>()?;
        batch::run(&call, &Timed { items: &self.items, ttls }).await
    }
}

/// Items with their TTLs checked.
struct Timed<'a> {
    items: &'a [Item],
    ttls: Vec<Ttl>,
}

impl Batch for Timed<'_> {
    type Outcome = ();

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.key.as_str())
    }

    fn value_len(&self, place: usize) -> usize {
        self.items[place].value.len()
    }

    async fn send(&self, call: &Call<'_>, places: &[usize]) -> Results<()> {
        let set = |&place: &usize| {
            let Item { key, value, .. } = &self.items[place];
            rpc::Set { key, value, ttl: self.ttls[place].seconds() }
        };
        let items: Vec<_> = places.iter().map(set).collect();
        let reply = call.make(&rpc::MultiSet { items: &items }).await?;
        let results = results(reply.items, places.len())?.into_iter().zip(places);
        let sized = results.map(|(result, &place)| {
            result.map_err(|error| error.with_size(self.items[place].value.len()))
        });
        Ok(sized.collect())
    }
}
