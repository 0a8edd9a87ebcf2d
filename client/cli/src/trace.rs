//! A trace context of this program's own, so that one call can be found among all others
//! (<https://www.w3.org/TR/trace-context/>).

use std::hash::{BuildHasher, RandomState};

/// The caller's side of a trace that has no other part.
pub(crate) struct Parent {
    pub(crate) trace_id: String,
    span_id: String,
}

impl Parent {
    pub(crate) fn new() -> Self {
        // Fresh keys from the operating system; no generator is worth a dependency here.
        let random = RandomState::new();
        let [a, b, c] = [1, 2, 3].map(|part: u8| random.hash_one(part));
        Self { trace_id: format!("{a:016x}{b:016x}"), span_id: format!("{c:016x}") }
    }

    /// The `traceparent` that asks for a span.
    pub(crate) fn sampled(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }
}
