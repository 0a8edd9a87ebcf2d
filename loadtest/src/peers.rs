//! What a run drives: a tiny-cache server, Redis, memcached or nothing. Turns an operation into
//! a call and the reply into an [`Answer`]. Knows neither instants nor counters.

mod address; // what is driven, as people write it
mod namespace; // a keyspace of it
mod tls; // certificates
mod route; // all that is needed to get there
mod backend; // the protocol that is spoken there
mod reconnecting; // one connection after the other
mod tiny_cache; // gRPC
mod several; // several tiny-cache servers on a ring
mod server_counts; // and what each of them got
mod pipeline; // many commands at a time on one connection
mod redis; // RESP
mod memcached; // memcached's text protocol
mod operation; // what each operation sends, a file for each
mod payloads; // the values that it writes, and a check of those that it reads
mod answer; // what came back
mod error; // or why nothing did
#[cfg(fuzzing)]
pub mod fuzzing; // replies from any bytes

pub use self::{
    address::{HostPort, InvalidTarget, Login, RedisAddress, ServerList, Target},
    answer::Answer,
    error::{CallError, Unreachable},
    namespace::Namespace,
    route::{LeaseTerms, Route},
    tls::TlsFiles,
};
pub(crate) use self::{
    backend::{Backend, BackendConnection},
    memcached::check_key,
    payloads::Verifier,
    server_counts::{ServerCount, ServerCounts},
};
