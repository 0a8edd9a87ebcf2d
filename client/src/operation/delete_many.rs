//! Removes many values.

use super::{
    Call, Client, Request,
    batch::{Batch, Results, results},
    rpc,
};

impl Client {
    /// Removes many values where there are any: one result for each key, in the keys' order.
    ///
    /// # Errors
    ///
    /// A key that is not 1 to 256 characters ([`ErrorKind::Validation`]) fails its own item. A
    /// failed call fails the batch; some values may have been removed. Of several servers it fails
    /// the items of its server.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn delete_many<'c, K>(
        &'c self,
        keys: impl IntoIterator<Item = &'c K>,
    ) -> Request<'c, DeleteMany<'c>>
    where
        K: AsRef<str> + ?Sized + 'c,
    {
        self.request(DeleteMany { keys: keys.into_iter().map(AsRef::as_ref).collect() })
    }
}

/// See [`Client::delete_many`].
#[derive(Debug)]
pub struct DeleteMany<'a> {
    keys: Vec<&'a str>,
}

impl Batch for DeleteMany<'_> {
    type Outcome = ();

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().copied()
    }

    async fn send(&self, call: &Call<'_>, places: &[usize]) -> Results<()> {
        let keys: Vec<_> = places.iter().map(|&place| self.keys[place]).collect();
        let reply = call.make(&rpc::MultiDelete { keys: &keys }).await?;
        results(reply.items, places.len())
    }
}
