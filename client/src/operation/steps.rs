//! Makes reads, writes, removals and steps of counters in one call. Repeated only if the server has
//! not executed it, or if it is of reads alone.

use std::time::Duration;

use prost::Message;
use tiny_cache_proto::v1::{
    AddRequest, BatchReply, BatchRequest, Failure, Operation, ReadRequest, RemoveRequest,
    WriteRequest, operation::Operation as Sent, operation_result::Result as Got,
};
use tonic::Code;

use super::{
    Add, Call, Change, Client, Counter, Error, ErrorKind, Read, Remove, Request, Result, Write,
    batch::{Batch, Results, complete},
    rpc,
};
use crate::{entry::Entry, milliseconds};

impl Client {
    /// Makes reads, writes, removals and steps of counters in one call: one result for each, in
    /// their order. Each is atomic, the batch as a whole is not.
    ///
    /// Accepts any number of steps: sends more than a thousand in parts, one after the other, and of
    /// several servers to all at once.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("greeting", "hello").await?;
    /// let done = client
    ///     .batch([
    ///         client.read("greeting").into(),
    ///         client.write("page", "<p>").tags(["author:3"]).into(),
    ///         client.add("calls", 1).at_most(100).into(),
    ///     ])
    ///     .await?;
    /// let done: Vec<_> = done.into_iter().collect::<Result<_, _>>()?;
    /// assert_eq!(done[0].entry().unwrap().value.as_deref(), Some(&b"hello"[..]));
    /// assert!(done[1].change().unwrap().is_applied());
    /// assert_eq!(done[2].counter().unwrap().value, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A step fails alone where the server refuses it, and where its key is not 1 to 256 characters
    /// or it has options of a call, such as a deadline, which belong to the batch
    /// ([`ErrorKind::Validation`]). A failed call fails the batch; of several servers, the steps of
    /// its server. Retried only if the server has certainly not executed it, or if it only reads;
    /// see [`Error::may_have_been_applied`].
    pub fn batch(&self, steps: impl IntoIterator<Item = Step>) -> Request<'_, Steps> {
        self.request(Steps { steps: steps.into_iter().collect() })
    }
}

/// A step of a [`batch`](Client::batch): a [`read`](Client::read), a [`write`](Client::write), a
/// [`remove`](Client::remove) or an [`add`](Client::add), with what it says of its key.
#[derive(Clone, Debug)]
pub struct Step {
    /// Without its TTL.
    sent: Sent,
    ttl: Option<Duration>,
    /// It has options that are a call's.
    has_options: bool,
}

/// See [`Client::batch`].
#[derive(Debug)]
pub struct Steps {
    steps: Vec<Step>,
}

/// What came of a step of a [`batch`](Client::batch).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum StepOutcome {
    /// What a read found; none for a miss.
    Read(Option<Entry>),
    /// What a write or a removal did.
    Changed(Change),
    /// The counter after its step.
    Counted(Counter),
}

impl StepOutcome {
    /// The entry that a read found.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Read(found) => found.as_ref(),
            Self::Changed(_) | Self::Counted(_) => None,
        }
    }

    /// What a write or a removal did.
    #[must_use]
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Changed(change) => Some(change),
            Self::Read(_) | Self::Counted(_) => None,
        }
    }

    /// The counter after its step.
    #[must_use]
    pub fn counter(&self) -> Option<&Counter> {
        match self {
            Self::Counted(counter) => Some(counter),
            Self::Read(_) | Self::Changed(_) => None,
        }
    }

    /// Of a reply to this step, from this process of the server.
    fn of(got: Got, sent: &Sent, process_id: u32) -> Result<Self> {
        let other = || Err(Error::bad_reply("a result of another kind than its step"));
        Ok(match (got, sent) {
            (Got::Read(mut reply), Sent::Read(asked)) => {
                reply.process_id = process_id;
                Self::Read(Entry::of(reply, !asked.exists_only)?)
            }
            (Got::Write(mut reply), Sent::Write(asked)) => {
                reply.process_id = process_id;
                Self::Changed(Change::of(reply, asked.return_previous)?)
            }
            (Got::Remove(mut reply), Sent::Remove(asked)) => {
                reply.process_id = process_id;
                Self::Changed(Change::of_removal(reply, asked.return_previous)?)
            }
            (Got::Add(mut reply), Sent::Add(_)) => {
                reply.process_id = process_id;
                Self::Counted(Counter::of(reply)?)
            }
            (Got::Failure(failure), sent) => return Err(failed(failure, sent)),
            _ => return other(),
        })
    }
}

/// The error of a step that the server refused.
fn failed(failure: Failure, sent: &Sent) -> Error {
    let Failure { code, message, carried_out } = failure;
    let error = Error::new(ErrorKind::of(Code::from_i32(code)), message);
    match sent {
        Sent::Write(write) if !carried_out => error.with_size(write.value.len()),
        Sent::Read(_) => error,
        _ => error.perhaps_applied(carried_out),
    }
}

macro_rules! steps {
    ($($operation:ident => $kind:ident),*) => {$(
        impl From<Request<'_, $operation<'_>>> for Step {
            fn from(request: Request<'_, $operation<'_>>) -> Self {
                let (operation, ttl, has_options) = request.into_parts();
                Self { sent: Sent::$kind(operation.message()), ttl, has_options }
            }
        }
    )*};
}

steps! { Read => Read, Write => Write, Remove => Remove, Add => Add }

impl Step {
    fn key(&self) -> &str {
        match &self.sent {
            Sent::Read(ReadRequest { key, .. })
            | Sent::Write(WriteRequest { key, .. })
            | Sent::Remove(RemoveRequest { key, .. })
            | Sent::Add(AddRequest { key, .. }) => key,
        }
    }

    /// Whether a repetition leads to the same outcome.
    fn is_idempotent(&self) -> bool {
        matches!(self.sent, Sent::Read(_))
    }

    /// The operation with its TTL.
    fn operation(&self, call: &Call<'_>) -> Operation {
        let mut sent = self.sent.clone();
        match &mut sent {
            Sent::Write(WriteRequest { ttl_ms, .. }) | Sent::Add(AddRequest { ttl_ms, .. }) => {
                *ttl_ms = self.ttl.map_or_else(|| call.ttl_ms(), milliseconds::rounded_up);
            }
            Sent::Read(_) | Sent::Remove(_) => {}
        }
        Operation { operation: Some(sent) }
    }
}

impl Batch for Steps {
    type Outcome = StepOutcome;

    /// A step may build on the one before.
    const AT_ONCE: usize = 1;

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(Step::key)
    }

    fn value_len(&self, place: usize) -> usize {
        let step = &self.steps[place];
        let len = match &step.sent {
            Sent::Read(_) => 0,
            Sent::Write(write) => write.encoded_len(),
            Sent::Remove(remove) => remove.encoded_len(),
            Sent::Add(add) => add.encoded_len(),
        };
        len.saturating_sub(step.key().len())
    }

    fn check(&self, place: usize) -> Result<()> {
        if self.steps[place].has_options {
            return Err(Error::validation(
                "a step has options of a call, which it is none: set them on the batch",
            ));
        }
        Ok(())
    }

    fn is_idempotent(&self) -> bool {
        self.steps.iter().all(Step::is_idempotent)
    }

    async fn send(&self, call: &Call<'_>, places: &[usize]) -> Results<StepOutcome> {
        let mut results: Vec<_> = places.iter().map(|_| None).collect();
        // Asks again for the values that a reply had no room for, until no further value comes.
        let mut open: Vec<usize> = (0..places.len()).collect();
        loop {
            let asked: Vec<_> = open.iter().map(|&n| &self.steps[places[n]]).collect();
            let operations = asked.iter().map(|step| step.operation(call)).collect();
            let request = BatchRequest { operations };
            let BatchReply { results: got, process_id } = if self.is_idempotent() {
                call.make(&rpc::ReadsAlone(request)).await?
            } else {
                call.make(&request).await?
            };
            complete(got.len(), open.len())?;
            let mut left = Vec::new();
            for ((&n, step), got) in open.iter().zip(asked).zip(got) {
                let empty = || Error::bad_reply("a result without a kind");
                let got = got.result.ok_or_else(empty)?;
                if step.is_idempotent() && matches!(&got, Got::Failure(why) if why.carried_out) {
                    left.push(n);
                }
                results[n] = Some(StepOutcome::of(got, &step.sent, process_id));
            }
            if left.is_empty() || left.len() == open.len() {
                return Ok(results.into_iter().flatten().collect());
            }
            open = left;
        }
    }
}
