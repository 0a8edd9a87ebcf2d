//! One file for each RPC, and in each the same three steps: parse the message into a valid
//! request, apply it to the store, turn the outcome into the reply. A file also states what the
//! messages that it introduces report to metrics and traces.

mod contract; // what every command is, and what it works with

mod compare_and_set;
mod delete;
mod get;
mod multi_delete;
mod multi_get;
mod multi_set;
mod set;
mod set_if_absent;
mod stats;

mod through; // the verbs on the second tier, where there is one
pub(crate) mod v1; // those of the second service

mod batch; // bounds and groups of batches, and a result for each item

#[cfg(any(test, fuzzing))]
pub(crate) mod testing;

pub(crate) use self::{
    compare_and_set::CompareAndSet,
    contract::{Bounds, Command, Context, GROUP},
    delete::Delete,
    get::Get,
    multi_delete::MultiDelete,
    multi_get::MultiGet,
    multi_set::MultiSet,
    set::Set,
    set_if_absent::SetIfAbsent,
    stats::Stats,
};
