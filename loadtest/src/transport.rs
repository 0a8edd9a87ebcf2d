//! gRPC connections to a cache server. Knows addresses, deadlines and how a reply is
//! read; what is asked, and what is made of the answers, is decided elsewhere.

mod call_error;
mod connection;
mod namespace;
mod target;

pub use self::{
    call_error::{CallError, ErrorKind},
    connection::{CallSettings, Connection, Dial, Lookup, Unreachable},
    namespace::{BadNamespace, Namespace},
    target::{BadTarget, Target},
};
