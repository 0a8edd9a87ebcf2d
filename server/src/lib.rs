//! A gRPC cache server: a moka-backed, sharded, thread-per-core store behind a tonic
//! service.

pub mod key;
pub mod store;

mod sync;
