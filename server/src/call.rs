//! What one call is, for the pipeline, the service and the traces. Knows no pipeline, no store
//! and no transport.

mod facts; // sizes and counts of a call
mod keys; // its keys, for a span that records them
mod message; // what requests and replies are to the server
mod fields; // reads a request's message where it lies
mod writer; // writes a reply's message
mod method; // the RPC that it asks for
mod trips; // what it had the second tier do
mod holdings; // what the callers of a connection hold
mod exchange; // what the pipeline and a command exchange around tonic
mod request_id; // its name in logs and replies
mod start; // when it came

pub(crate) use self::{
    exchange::{Exchange, Report, Terms, UnderWay},
    facts::{Facts, Reads},
    fields::{Field, each_field},
    holdings::{Handed, Hands, Holdings},
    keys::RecordedKeys,
    message::{ReplyMessage, RequestMessage, Uses},
    method::Method,
    request_id::{EMPTY_ID, RequestIds, X_REQUEST_ID, text as request_id_text},
    start::CallStart,
    trips::{Trip, Trips},
    writer::{ReplyWriter, Segments, field_len, number_len},
};
