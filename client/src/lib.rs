//! The client of tiny-cache.
//!
//! ```
//! use std::time::Duration;
//! use tiny_cache_client::Client;
//! # use tiny_cache_client::testing::TestServer;
//!
//! # #[tokio::main]
//! # async fn main() -> tiny_cache_client::Result<()> {
//! # let server = TestServer::start().await?;
//! # let address = server.address();
//! let client = Client::connect(address).await?;
//!
//! client.set("greeting", "hello").ttl(Duration::from_secs(60)).await?;
//! assert_eq!(client.get_text("greeting").await?.as_deref(), Some("hello"));
//! assert_eq!(client.get("farewell").await?, None); // a miss is data, not an error
//! # Ok(())
//! # }
//! ```
//!
//! # Calls
//!
//! Every operation of [`Client`] gives a [`Request`], which does nothing until it is awaited,
//! and can be told what holds for this call alone: its deadline, retries, namespace and so on.
//! What holds for every call is said to the [`Builder`]. A [`Client`] is cheap to clone; all
//! clones share its connections and can be used from many tasks at once.
//!
//! # When a server is not there
//!
//! A call that fails because the server cannot be reached, does not take calls or does not
//! answer in time is tried again, by default three times, after pauses of up to 1, 2 and 4
//! seconds, drawn at random. What is left of a pause is used to reconnect, so a server that is
//! back within the sum of the pauses costs its callers time, not errors. [`set_if_absent`] and
//! [`compare_and_set`] are repeated only when it is certain that the server has not executed
//! them. All calls together may make retries for a fifth of their number and ten a second
//! besides, those apart that only wait for a connection: an outage is not answered with a
//! multiple of the load.
//!
//! A connection that the server sends away (GOAWAY) or that breaks is replaced at once, and
//! calls that were turned away with it move to another without counting as a retry.
//!
//! # Features
//!
//! - `opentelemetry` (default): calls carry the context of the caller's active span.
//! - `testing`: `testing::TestServer`, a server in the process, for your own tests.
//!
//! [`set_if_absent`]: Client::set_if_absent
//! [`compare_and_set`]: Client::compare_and_set

// The way of a call:
mod client; // one method for each operation
mod request; // what holds for this call; awaiting it
mod operation; // one file for each kind: check, call, read the reply
mod call; // tries, and the pauses between them
mod retry; // when, after which pause, how often altogether
mod pool; // the least busy connection
pub mod transport; // one connection, and single calls over it
mod trace; // the caller's span
mod error; // every failure, and its words

// Beside the calls:
mod address; // as people write it
mod builder; // everything that can be set
mod health; // the periodic check
#[cfg(feature = "testing")]
pub mod testing;
mod tls; // whom to trust
mod ttl; // durations, as the wire has them

pub use self::{
    address::{Address, InvalidAddress},
    builder::Builder,
    client::Client,
    error::{Error, ErrorKind, Result},
    health::Health,
    operation::{
        CompareAndSet, CompareAndSetOutcome, Delete, DeleteMany, Get, GetHealth, GetMany, GetStats,
        GetText, Item, Operation, Ping, Set, SetIfAbsent, SetIfAbsentOutcome, SetMany, Stats,
    },
    request::Request,
    tls::Tls,
    ttl::Ttl,
};
