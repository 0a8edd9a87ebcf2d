//! Who a caller is, and what it may do: credentials and rules, read from files again when they
//! change. Knows namespaces and RPCs' needs; it knows no keys, no messages and no connections.
//!
//! With access control off a [`Gate`] is empty and a call costs a branch. With it on, the gate of a
//! connection remembers its last credential with the verdict, and its last namespace with the
//! rights there, so that a call costs two comparisons, neither a lock nor an allocation.

mod right; // what may be done, and what an RPC needs
mod reason; // why somebody is refused
mod identity; // who may do it
mod problem; // what is wrong with a file
mod rules; // the rules file
mod tokens; // files with hashes of tokens
mod signatures; // what checks those of JWTs
mod jwt; // JWTs and the keys that sign them
mod certificate; // who a client's certificate says that it is
mod refusal; // a call that is not let in
mod audit; // counts and logs it
mod files; // which files there are
mod policy; // what all files say together
mod reload; // the policy of this moment
mod gate; // the judge of one connection
mod http; // the tokens of the HTTP port
pub(crate) mod check; // what the rules say of somebody, for the command line
pub(crate) mod new_token; // makes and hashes tokens, for the command line

pub(crate) use self::{
    audit::{Audit, Event},
    gate::{Asked, Gate},
    http::HttpTokens,
    reason::Reason,
    refusal::{Denied, Refusal},
    reload::Access,
    right::{Need, Rights},
};
pub use self::{
    certificate::CertificateName,
    files::{AccessFiles, JwtFiles},
    problem::AccessError,
    right::Right,
};
