//! Removes many values.

use super::{
    batch::{self, Batch, Results, results},
    sealed::Run,
};
use crate::{call::Call, error::Result, retry::Repetition, transport::rpc};

/// See [`Client::delete_many`](crate::Client::delete_many).
#[derive(Debug)]
pub struct DeleteMany<'a> {
    pub(crate) keys: Vec<&'a str>,
}

impl Run for DeleteMany<'_> {
    type Output = Result<Vec<Result<()>>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        batch::run(&call?, &self).await
    }
}

impl Batch for DeleteMany<'_> {
    type Outcome = ();

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().copied()
    }

    fn value_len(&self, _place: usize) -> usize {
        0
    }

    async fn send(&self, call: &Call<'_>, places: &[usize]) -> Results<()> {
        let keys: Vec<_> = places.iter().map(|&place| self.keys[place]).collect();
        let reply = call.make(&rpc::MultiDelete { keys: &keys }, Repetition::Harmless).await?;
        results(reply.items, places.len())
    }
}
