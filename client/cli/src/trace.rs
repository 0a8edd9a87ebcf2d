//! A trace context for one call (<https://www.w3.org/TR/trace-context/>), and whether the server
//! recorded a span for it.

use std::{
    hash::{BuildHasher, RandomState},
    io::{self, Write},
    sync::Mutex,
};

use tiny_cache_client::ReplyMetadata;

/// The trace of one call.
#[derive(Debug)]
pub(crate) struct Trace {
    trace_id: String,
    span_id: String,
    answer: Mutex<Answer>,
}

/// Whether the replies name a span of the trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    /// There was no reply.
    Unknown,
    Untraced,
    /// One of the calls has a span.
    Traced,
}

impl Trace {
    pub(crate) fn new() -> Self {
        // Random keys from the operating system, without another dependency.
        let random = RandomState::new();
        let [a, b, c] = [1, 2, 3].map(|part: u8| random.hash_one(part));
        let trace_id = format!("{a:016x}{b:016x}");
        Self { trace_id, span_id: format!("{c:016x}"), answer: Mutex::new(Answer::Unknown) }
    }

    /// The `traceparent` that asks for a span.
    pub(crate) fn sampled(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }

    /// Notes whether a reply names a span of this trace.
    pub(crate) fn note(&self, reply: ReplyMetadata<'_>) {
        let response = reply.get("traceresponse").unwrap_or_default();
        let is_ours = response.split('-').nth(1) == Some(&self.trace_id);
        let mut answer = self.answer.lock().expect("nothing panics while it is locked");
        match (is_ours, *answer) {
            (true, _) => *answer = Answer::Traced,
            (false, Answer::Unknown) => *answer = Answer::Untraced,
            (false, Answer::Traced | Answer::Untraced) => {}
        }
    }

    /// Writes the trace's id to stderr, or that nothing will be found under it.
    pub(crate) fn report(&self) {
        let id = &self.trace_id;
        let line = match *self.answer.lock().expect("nothing panics while it is locked") {
            Answer::Traced => format!("trace {id}"),
            Answer::Untraced => "not traced: the server made no span of the call; either its \
                                 OTEL_EXPORTER_OTLP_ENDPOINT is not set, or its collector takes \
                                 no spans and its log says why"
                .to_owned(),
            Answer::Unknown => format!("trace {id}, if the call reached the server: no reply came"),
        };
        // Nothing can be reported if stderr is closed.
        let _ = writeln!(io::stderr(), "{line}");
    }
}
