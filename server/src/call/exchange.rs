//! What the pipeline and a command exchange around tonic, which lets only a message and extensions
//! through. A call that does not go through tonic hands both over itself.

use std::{fmt, pin::Pin, sync::Arc, time::Instant};

use tonic::Status;

use super::{
    facts::Facts,
    holdings::{Handed, Holdings},
    keys::RecordedKeys,
    message::{ReplyMessage, RequestMessage, Uses},
    writer::Segments,
};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What a command may know of its call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    /// When the caller stops waiting.
    pub(crate) deadline: Option<Instant>,
    /// Whether the call has a span.
    pub(crate) is_traced: bool,
    /// Whether the span records keys.
    pub(crate) records_keys: bool,
    /// What its caller may do in its namespace.
    pub(crate) may: Uses,
}

impl Terms {
    /// Those of a call that nothing is known of.
    pub(crate) const NONE: Self = Self {
        deadline: None,
        is_traced: false,
        records_keys: false,
        may: Uses { reads: false, writes: false },
    };
}

/// What a command reports of its call.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) facts: Facts,
    pub(crate) keys: Option<RecordedKeys>,
    /// What the message asked for that its caller may not do; nothing was done then.
    pub(crate) lacks: Uses,
    /// What the reply hands to the caller.
    pub(crate) handed: Handed,
}

/// A command that was begun: comes to its reply, and to the report on it.
pub(crate) type UnderWay = Pin<Box<dyn Future<Output = (Result<Segments, Status>, Report)> + Send>>;

/// The terms of a call, and the place of what comes of it. Travels among the request's extensions;
/// clones share the place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) terms: Terms,
    /// What the callers of its connection hold.
    pub(crate) holdings: Arc<Holdings>,
    left: Arc<Mutex<Left>>,
}

/// What is left for the pipeline.
#[derive(Default)]
struct Left {
    command: Option<UnderWay>,
    /// Boxed, since a call may wait for long before it has one.
    report: Option<Box<Report>>,
}

impl Exchange {
    pub(crate) fn new(terms: Terms, holdings: Arc<Holdings>) -> Self {
        Self { terms, holdings, left: Arc::default() }
    }

    /// Leaves the command, which the pipeline carries out.
    pub(crate) fn begin(
        &self,
        command: impl Future<Output = (Result<Segments, Status>, Report)> + Send + 'static,
    ) {
        self.left().command = Some(Box::pin(command));
    }

    /// Takes the command, if one was begun.
    pub(crate) fn take_command(&self) -> Option<UnderWay> {
        self.left().command.take()
    }

    /// Leaves a report, in place of an earlier one.
    pub(crate) fn leave(&self, report: Report) {
        self.left().report = Some(Box::new(report));
    }

    /// Takes what was left, if anything.
    pub(crate) fn take(&self) -> Report {
        self.left().report.take().map_or_else(Report::default, |report| *report)
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Left").field("report", &self.report).finish_non_exhaustive()
    }
}

impl Report {
    /// The report on a request whose message has so many bytes.
    pub(crate) fn of_request<'a>(message: &impl RequestMessage<'a>, bytes: usize) -> Self {
        let facts = Facts {
            request_bytes: Some(bytes as u64),
            items: message.keys().len() as u64,
            value_bytes: message.value_bytes() as u64,
            ..Facts::NONE
        };
        Self { facts, ..Self::default() }
    }

    /// The report on a request whose message broke off.
    pub(crate) fn of_lost_caller() -> Self {
        let facts = Facts { caller_gone: true, ..Facts::NONE };
        Self { facts, ..Self::default() }
    }

    /// Adds the keys of a request in `namespace`.
    pub(crate) fn add_keys<'a>(&mut self, namespace: &str, message: &impl RequestMessage<'a>) {
        self.keys = Some(RecordedKeys::of(namespace, message));
    }

    /// Adds what the reply reports, whose message has so many bytes.
    pub(crate) fn add_reply(&mut self, message: &impl ReplyMessage, bytes: usize) {
        self.facts.reply_bytes = Some(bytes as u64);
        message.describe(&mut self.facts);
    }
}
