//! Reads many values.

use bytes::Bytes;

use super::{
    batch::{self, Batch, Results, complete, item_error},
    sealed::Run,
};
use crate::{call::Call, error::Result, retry::Repetition, transport::rpc};

/// See [`Client::get_many`](crate::Client::get_many).
#[derive(Debug)]
pub struct GetMany<'a> {
    pub(crate) keys: Vec<&'a str>,
}

impl Run for GetMany<'_> {
    type Output = Result<Vec<Result<Option<Bytes>>>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        batch::run(&call?, &self).await
    }
}

impl Batch for GetMany<'_> {
    type Outcome = Option<Bytes>;

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().copied()
    }

    fn value_len(&self, _place: usize) -> usize {
        0
    }

    async fn send(&self, call: &Call<'_>, places: &[usize]) -> Results<Option<Bytes>> {
        let mut results: Vec<_> = places.iter().map(|_| Ok(None)).collect();
        // What a reply has no room for is asked for again, until that brings nothing more.
        let mut open: Vec<usize> = (0..places.len()).collect();
        loop {
            let keys: Vec<_> = open.iter().map(|&n| self.keys[places[n]]).collect();
            let reply = call.make(&rpc::MultiGet { keys: &keys }, Repetition::Harmless).await?;
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
