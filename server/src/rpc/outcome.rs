//! What a call that was answered leaves in metrics, trace and log.

use std::time::Instant;

use http::HeaderValue;
use tiny_cache_proto::status::code_name;
use tonic::Code;
use tracing::{Level, debug, enabled, error, field};

use super::{caller::Caller, meter::Measured};
use crate::{
    call::{CallStart, Report, Trips},
    histogram::Exemplar,
    telemetry::{Ended, Ending, RpcSpan},
};

/// A call that was answered.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) start: CallStart,
    pub(super) ended: Instant,
    pub(super) request_id: &'a str,
    /// The status that the caller reads.
    pub(super) code: Code,
    pub(super) report: Report,
    /// What the second tier did for it.
    pub(super) trips: Trips,
    /// The message of an internal error, which the caller does not get to read.
    pub(super) hidden: Option<String>,
    pub(super) panicked: bool,
}

impl Outcome<'_> {
    /// Counts the call with `count`, ends its span and logs it. Returns the reply's
    /// `traceresponse`, if the caller gets one.
    pub(super) fn report(
        self,
        span: Option<RpcSpan>,
        caller: impl FnOnce() -> Option<Caller>,
        count: impl FnOnce(Measured<'_>),
    ) -> Option<HeaderValue> {
        let Self { start, ended, request_id, report, trips, hidden, .. } = self;
        let Report { facts, keys, .. } = report;
        let code = facts.status(self.code);
        let took = ended.saturating_duration_since(start.at);
        let ending = Ending { code, request_id, facts: &facts, keys, trips, took };
        let (ids, response) = match span.and_then(|span| span.end(ending)) {
            Some(Ended { ids, response }) => (Some(ids), response),
            None => (None, None),
        };
        count(Measured { code, facts: &facts, took, exemplar: ids });
        if code == Code::Internal {
            let (trace_id, span_id) = in_hex(ids);
            if self.panicked {
                error!(request_id, trace_id, span_id, "a request's handler panicked");
            } else {
                let fault = "a request failed by this server's fault";
                error!(request_id, trace_id, span_id, hidden, "{fault}");
            }
        }
        if enabled!(Level::DEBUG) {
            let (trace_id, span_id) = in_hex(ids);
            let caller = caller();
            debug!(
                request_id,
                trace_id,
                span_id,
                method = start.method.name(),
                code = code_name(code),
                peer = caller.as_ref().and_then(|caller| caller.peer).map(field::display),
                namespace = caller.as_ref().map(|caller| &*caller.namespace),
                ?took,
                items = facts.items,
                hits = facts.hits,
                misses = facts.misses,
                value_bytes = facts.value_bytes,
                hidden,
                "answered"
            );
        }
        response
    }
}

/// The ids of trace and span as a log shows them.
fn in_hex(ids: Option<Exemplar>) -> (Option<String>, Option<String>) {
    ids.map(|ids| (hex::encode(ids.trace_id), hex::encode(ids.span_id))).unzip()
}
