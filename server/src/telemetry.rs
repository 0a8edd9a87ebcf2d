//! A span for each RPC that is sampled, exported over OTLP.
//!
//! Whether a request is sampled is decided before a span exists, from the caller's flags or the
//! ratio of this server. So a request that is not sampled costs one look at a header. The span of a
//! sampled one is made when it ends and handed to the SDK's batch processor, whose thread has it
//! exported. No request waits for that. Without an endpoint none of it exists.
//!
//! Upkeep beside the requests, such as a sweep of the store, has `tracing` spans, which
//! [`Traces::layer`] hands to the same processor.

// At the start:
mod environment; // reads the OTEL_ variables
mod config; // what they ask for
mod resource; // the service that the spans belong to

// With a request:
mod traces; // makes its span, if it is sampled
mod sampling; // decides that
mod parent; // the caller's span
mod tracer; // what all spans are made with
mod span; // the span of one RPC
mod attributes; // the names in it

// After it:
mod queue; // where spans wait
mod counts; // how many wait, were exported and were dropped
mod exporter; // encodes batches, and sends them until they are taken
mod collector; // the connection to the collector
mod failure; // whether a batch is sent again
mod report; // the log's lines about that
#[cfg(fuzzing)]
pub(crate) mod fuzzing; // metadata from any bytes

pub use self::{
    counts::SpanCounts,
    traces::{Configured, Traces},
};
pub(crate) use self::{
    parent::{Carrier, TRACERESPONSE},
    span::{Ended, Ending, RpcSpan},
    traces::ConnectionTraces,
};
