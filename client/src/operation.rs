//! The operations of a client, a file each: its method, its checks, its RPC and its outcome.
//!
//! A new operation is a row in the table of [`rpc`], a file here, and its
//! two lines below.

mod get; // get, get_text
mod set;
mod set_if_absent;
mod compare_and_set;
mod delete;
mod batch; // shared by the next three: parts, their results
mod get_many;
mod set_many;
mod delete_many;
mod stats;
mod health; // health, ping

use crate::{
    call::Call,
    client::Client,
    error::{Error, Result},
    kind::ErrorKind,
    request::{Request, WriteOperation, sealed::Run},
    transport::rpc,
};

pub use self::{
    compare_and_set::{CompareAndSet, CompareAndSetOutcome},
    delete::Delete,
    delete_many::DeleteMany,
    get::{Get, GetText},
    get_many::GetMany,
    health::{GetHealth, Health, Ping},
    set::Set,
    set_if_absent::{SetIfAbsent, SetIfAbsentOutcome},
    set_many::{Item, SetMany},
    stats::{GetStats, Stats},
};
