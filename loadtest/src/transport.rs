//! The way to a cache server. The client library's transport carries the calls; here is
//! what a load tester adds to it: patience at the start, a connection in place of one that
//! ended, and no second try of any call.

mod namespace; // what may be asked for
mod link; // a connection, and the calls of a replay
mod call_error; // why one brought nothing

pub use self::{
    call_error::CallError,
    link::{Calls, Dial, Link, Lookup, Unreachable},
    namespace::Namespace,
};
