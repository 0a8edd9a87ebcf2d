//! The operations: each checks what it was given, makes its calls and reads the reply.

mod get;
mod set;
mod conditional; // set_if_absent, compare_and_set
mod delete;
mod batch; // what the next three share
mod get_many;
mod set_many;
mod delete_many;
mod server; // stats, health, ping

use std::{fmt, future::Future};

pub use self::{
    conditional::{CompareAndSet, CompareAndSetOutcome, SetIfAbsent, SetIfAbsentOutcome},
    delete::Delete,
    delete_many::DeleteMany,
    get::{Get, GetText},
    get_many::GetMany,
    server::{GetHealth, GetStats, Ping, Stats},
    set::Set,
    set_many::{Item, SetMany},
};
use crate::{
    call::Call,
    error::{Error, ErrorKind},
};

/// What a [`Request`](crate::Request) does when it is awaited. Not for implementing.
pub trait Operation: sealed::Run<Output = Self::Outcome> {
    /// What comes of it.
    type Outcome;
}

impl<O: sealed::Run> Operation for O {
    type Outcome = O::Output;
}

pub(crate) mod sealed {
    use super::{Call, Error, Future};

    pub trait Run: Send {
        type Output;

        /// Runs with the call's settings, or with what is wrong with them.
        fn run(self, call: Result<Call<'_>, Error>) -> impl Future<Output = Self::Output> + Send;
    }
}

/// Adds the size to what a server says of a value that is too large for it.
fn with_size(error: Error, bytes: usize) -> Error {
    if error.kind() == ErrorKind::ResourceExhausted {
        error.remark(&format!(" (the value has {bytes} bytes; stats has max_value_bytes)"))
    } else {
        error
    }
}

/// A status that this client's contract does not have.
fn unknown_status(status: impl fmt::Display) -> Error {
    Error::bad_reply(format_args!("status {status} is not known"))
}
