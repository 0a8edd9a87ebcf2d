//! One file for each RPC, and in each the same three steps: parse the message into a valid
//! request, apply it to the store, turn the outcome into the reply.

mod batch;
mod compare_and_set;
mod delete;
mod get;
mod multi_delete;
mod multi_get;
mod multi_set;
mod set;
mod set_if_absent;
mod stats;

use std::time::Instant;

pub(crate) use self::{
    compare_and_set::compare_and_set, delete::delete, get::get, multi_delete::multi_delete,
    multi_get::multi_get, multi_set::multi_set, set::set, set_if_absent::set_if_absent,
    stats::stats,
};

/// The bounds of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Items of a batch.
    pub(crate) max_batch_items: usize,
    /// Bytes of a reply's message.
    pub(crate) max_reply_bytes: usize,
    /// When the caller stops waiting.
    pub(crate) deadline: Option<Instant>,
}
