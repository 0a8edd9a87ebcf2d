//! Batch: any mix of the other RPCs, one after the other, each with a result of its own.

use prost::Message;
use tiny_cache_proto::{
    key::Key,
    v1::{AddReply, BatchRequest, Failure, Operation as Sent, operation},
};
use tonic::Status;

use super::{
    add::AddOne, change::Change, read::ReadOne, read::Sight, remove::RemoveOne, write::WriteOne,
};
use crate::{
    call::{
        Facts, Field, Reads, ReplyMessage, ReplyWriter, RequestMessage, Uses, each_field, field_len,
    },
    command::{
        batch,
        contract::{Command, Context},
    },
    rejection::Rejection,
    store::Located,
};

pub(crate) struct Batch;

/// The operations of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Operations<'a> {
    operations: Vec<Operation<'a>>,
}

/// One of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Operation<'a> {
    /// None that this server knows.
    #[default]
    Unknown,
    Read(ReadOne<'a>),
    Write(WriteOne<'a>),
    Remove(RemoveOne<'a>),
    Add(AddOne<'a>),
}

/// What became of each operation, in their order.
#[derive(Debug)]
pub(crate) struct Outcomes {
    each: Vec<Outcome>,
    process: u32,
    /// Whether anything was changed.
    changes: bool,
}

#[derive(Debug)]
enum Outcome {
    Read(Sight),
    Write(Change),
    Remove(Change),
    Add(AddReply),
    Failed(Failure),
}

/// The numbers of the fields of a result.
const READ: u32 = 1;
const WRITE: u32 = 2;
const REMOVE: u32 = 3;
const ADD: u32 = 4;
const FAILURE: u32 = 15;

impl Command for Batch {
    type Request<'a> = Operations<'a>;
    type Reply<'a> = Outcomes;

    async fn run<'a>(
        context: &Context<'a>,
        request: Operations<'a>,
    ) -> Result<Outcomes, Rejection> {
        let each = batch::run(context, &request.operations, |group, results| {
            let keys = group.iter().map(|one| one.key_in(context));
            let places = context.store.locate_all(keys);
            results.extend(group.iter().zip(places).map(|(one, place)| {
                place.and_then(|at| one.apply(context, at)).unwrap_or_else(Outcome::failed)
            }));
        });
        let each = fit(each.await?, context.bounds.max_reply_bytes);
        let process = context.store.store().process_id();
        Ok(Outcomes { each, process, changes: request.uses().writes })
    }
}

impl<'a> Operation<'a> {
    fn key_in(&self, context: &Context<'a>) -> Result<Key<'a>, Rejection> {
        if matches!(self, Self::Unknown) {
            let text = "operation is empty, or newer than this server: set one of its fields";
            return Err(Rejection::Invalid(text.to_owned()));
        }
        Ok(Key::parse(context.namespace, self.key())?)
    }

    fn key(&self) -> &'a str {
        match self {
            Self::Unknown => "",
            Self::Read(read) => read.key,
            Self::Write(write) => write.key,
            Self::Remove(remove) => remove.key,
            Self::Add(add) => add.key,
        }
    }

    fn uses(&self) -> Uses {
        match self {
            Self::Unknown => Uses::default(),
            Self::Read(read) => read.uses(),
            Self::Write(write) => write.uses(),
            Self::Remove(remove) => remove.uses(),
            Self::Add(add) => add.uses(),
        }
    }

    fn value_bytes(&self) -> usize {
        match self {
            Self::Write(write) => write.value.len(),
            Self::Unknown | Self::Read(_) | Self::Remove(_) | Self::Add(_) => 0,
        }
    }

    fn apply(&self, context: &Context<'_>, place: Located<'_>) -> Result<Outcome, Rejection> {
        match self {
            Self::Unknown => unreachable!("it has no key, and so no place"),
            Self::Read(read) => read.apply(context, place).map(Outcome::Read),
            Self::Write(write) => write.apply(context, place).map(Outcome::Write),
            Self::Remove(remove) => remove.apply(context, place).map(Outcome::Remove),
            Self::Add(add) => add.apply(context, place).map(Outcome::Add),
        }
    }

    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut operation = Self::Unknown;
        each_field(message, |number, field| {
            let Field::Bytes(bytes) = field else { return None };
            // A second one may be the rest of the first, as no client writes it.
            if operation != Self::Unknown {
                return None;
            }
            operation = match number {
                READ => Self::Read(ReadOne::decode(bytes)?),
                WRITE => Self::Write(WriteOne::decode(bytes)?),
                REMOVE => Self::Remove(RemoveOne::decode(bytes)?),
                ADD => Self::Add(AddOne::decode(bytes)?),
                _ => return None,
            };
            Some(())
        })?;
        Some(operation)
    }

    fn of(sent: &'a Sent) -> Self {
        match &sent.operation {
            None => Self::Unknown,
            Some(operation::Operation::Read(read)) => Self::Read(read.into()),
            Some(operation::Operation::Write(write)) => Self::Write(write.into()),
            Some(operation::Operation::Remove(remove)) => Self::Remove(remove.into()),
            Some(operation::Operation::Add(add)) => Self::Add(add.into()),
        }
    }
}

impl<'a> From<&'a BatchRequest> for Operations<'a> {
    fn from(message: &'a BatchRequest) -> Self {
        Self { operations: message.operations.iter().map(Operation::of).collect() }
    }
}

impl<'a> RequestMessage<'a> for Operations<'a> {
    fn decode(message: &'a [u8]) -> Option<Self> {
        let mut request = Self::default();
        each_field(message, |number, field| {
            match (number, field) {
                (1, Field::Bytes(one)) => request.operations.push(Operation::decode(one)?),
                _ => return None,
            }
            Some(())
        })?;
        Some(request)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        self.operations.iter().map(Operation::key)
    }

    fn value_bytes(&self) -> usize {
        self.operations.iter().map(Operation::value_bytes).sum()
    }

    fn uses(&self) -> Uses {
        self.operations.iter().map(Operation::uses).fold(Uses::default(), Uses::and)
    }
}

impl Outcome {
    fn failed(rejection: Rejection) -> Self {
        Self::Failed(failure(rejection, false))
    }

    /// Of an operation that was carried out, and whose result has no room in a reply of `max` bytes.
    fn without_room(max: usize) -> Self {
        Self::Failed(failure(Rejection::ReplyTooLarge { max }, true))
    }

    fn field(&self) -> u32 {
        match self {
            Self::Read(_) => READ,
            Self::Write(_) => WRITE,
            Self::Remove(_) => REMOVE,
            Self::Add(_) => ADD,
            Self::Failed(_) => FAILURE,
        }
    }

    /// Bytes of its message.
    fn len(&self) -> usize {
        match self {
            Self::Read(sight) => sight.len(),
            Self::Write(change) | Self::Remove(change) => {
                change.facts().encoded_len() + field_len(change.value_bytes())
            }
            Self::Add(reply) => reply.encoded_len(),
            Self::Failed(failure) => failure.encoded_len(),
        }
    }

    /// Bytes that its result takes in the reply.
    fn len_in_reply(&self) -> usize {
        // A message of no bytes is there all the same, with its length.
        field_len(self.len_in_result())
    }

    fn len_in_result(&self) -> usize {
        field_len(self.len()).max(2)
    }

    fn write(&self, message: &mut ReplyWriter) {
        message.begin_message(1, self.len_in_result());
        message.begin_message(self.field(), self.len());
        match self {
            Self::Read(sight) => sight.write(message),
            Self::Write(change) | Self::Remove(change) => change.write(message),
            Self::Add(reply) => message.fields_of(reply),
            Self::Failed(failure) => message.fields_of(failure),
        }
    }
}

fn failure(rejection: Rejection, carried_out: bool) -> Failure {
    let status = Status::from(rejection);
    Failure { code: status.code() as i32, message: status.message().to_owned(), carried_out }
}

impl ReplyMessage for Outcomes {
    fn describe(&self, facts: &mut Facts) {
        for outcome in &self.each {
            if let Outcome::Read(sight) = outcome {
                facts.reads = Reads::Many;
                facts.hits += u64::from(sight.is_hit());
                facts.misses += u64::from(!sight.is_hit());
                facts.value_bytes += sight.value_bytes() as u64;
            }
        }
    }

    fn may_be_withheld(&self) -> bool {
        !self.changes
    }

    fn write(&self, message: &mut ReplyWriter) {
        self.each.iter().for_each(|outcome| outcome.write(message));
        message.number(2, self.process.into());
    }
}

/// Puts a failure into the place of the results that do not fit into a reply of `max` bytes any more.
/// First come, first served; each leaves room for the failures of those behind it.
fn fit(mut each: Vec<Outcome>, max: usize) -> Vec<Outcome> {
    const PROCESS: usize = 6;
    let mut total = PROCESS + each.iter().map(Outcome::len_in_reply).sum::<usize>();
    if total <= max {
        return each;
    }
    let least = Outcome::without_room(max).len_in_reply();
    let smallest = |outcome: &Outcome| outcome.len_in_reply().min(least);
    total = PROCESS + each.iter().map(smallest).sum::<usize>();
    for outcome in &mut each {
        let whole = total - smallest(outcome) + outcome.len_in_reply();
        if whole <= max {
            total = whole;
        } else {
            *outcome = Outcome::without_room(max);
        }
    }
    each
}
