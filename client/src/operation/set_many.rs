//! Writes many values.

use std::time::Duration;

use bytes::Bytes;

use super::{
    batch::{self, Batch, Results, results, ttl_or},
    sealed::Run,
    with_size,
};
use crate::{
    call::Call, error::Result, request::Request, retry::Repetition, transport::rpc, ttl::Ttl,
};

/// One value to write, see [`Client::set_many`](crate::Client::set_many).
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
    /// A value and the key that it is to have.
    pub fn new(key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), value: value.into(), ttl: None }
    }

    /// Lets the entry live this long, in place of the batch's ttl; zero never expires.
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

/// See [`Client::set_many`](crate::Client::set_many).
#[derive(Debug)]
pub struct SetMany {
    pub(crate) items: Vec<Item>,
    pub(crate) ttl: Option<Duration>,
}

impl Request<'_, SetMany> {
    /// Lets the entries live this long that say nothing else, in place of the client's
    /// default; zero never expires.
    ///
    /// A part of a second counts as one.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.operation.ttl = Some(ttl);
        self
    }
}

impl Run for SetMany {
    type Output = Result<Vec<Result<()>>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        let ttls = self.items.iter().map(|item| ttl_or(item.ttl.or(self.ttl), call.core()));
        let ttls = ttls.collect::<Result<Vec<_>>>()?;
        batch::run(&call, &Timed { items: &self.items, ttls }).await
    }
}

/// Items whose ttls were found to be valid.
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
        let reply = call.make(&rpc::MultiSet { items: &items }, Repetition::Harmless).await?;
        let results = results(reply.items, places.len())?.into_iter().zip(places);
        let sized = results.map(|(result, &place)| {
            result.map_err(|error| with_size(error, self.items[place].value.len()))
        });
        Ok(sized.collect())
    }
}
