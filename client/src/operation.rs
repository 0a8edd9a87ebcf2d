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
mod read; // of the second service, as the next two
mod write;
mod remove;
mod add; // a counter's step
mod steps; // any mix of the four before in one call
mod claim; // a read that may come with a lease, and its release
mod get_or_fill; // one call to the origin for all that miss
#[cfg(feature = "json")]
mod json; // values of the caller's own types
mod invalidate; // of the second service, too
mod describe; // one entry: size, times and place
mod hot_keys; // what was asked for most
mod scan; // the keys of a namespace, a page at a time
mod stats;
mod what_if; // what other memory would give
mod health; // health, ping

use crate::{
    call::Call,
    client::Client,
    error::{Error, Result},
    kind::ErrorKind,
    request::{Request, WriteOperation, sealed::Run},
    transport::rpc,
};

#[cfg(feature = "json")]
pub use self::json::{GetJson, Json, SetJson};
pub use self::{
    add::{Add, AddOutcome, Counter},
    claim::{Claim, Claimed, Release},
    compare_and_set::{CompareAndSet, CompareAndSetOutcome},
    delete::Delete,
    delete_many::DeleteMany,
    describe::{Describe, Description, Place},
    get::{Get, GetText},
    get_many::GetMany,
    get_or_fill::{FillError, Form, GetOrFill, Raw},
    health::{GetHealth, Health, Ping},
    hot_keys::{GetHotKeys, HotKey, HotKeys, LargeKey},
    invalidate::Invalidate,
    read::Read,
    remove::Remove,
    scan::{Listed, Scan, ScanCursor, ScanPage},
    set::Set,
    set_if_absent::{SetIfAbsent, SetIfAbsentOutcome},
    set_many::{Item, SetMany},
    stats::{GetStats, Stats},
    steps::{Step, StepOutcome, Steps},
    what_if::{GetWhatIf, WhatIf, WhatIfMemory},
    write::{Change, ChangeOutcome, Write},
};
