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
//! and takes settings of this call alone: its deadline, retries, namespace and so on. What
//! holds for every call is set in the [`Builder`]. A [`Client`] is cheap to clone; all
//! clones share its connections and can be used from many tasks at once.
//!
//! # When a server is not there
//!
//! A call that fails because the server cannot be reached, does not take calls or does not
//! answer in time is tried again, by default three times, after pauses of up to 50, 100 and
//! 200 ms, drawn at random. A try takes a second at most and a call three, all of its tries and
//! pauses together: a cache that hangs must not hang its callers. What is left of a pause is
//! used to reconnect, so a server that is back within the sum of the pauses costs its callers
//! time, not errors; to ride out a longer restart, allow longer pauses, or take the Python
//! client's with [`Builder::python_defaults`]. [`set_if_absent`] and [`compare_and_set`] are
//! repeated only when it is certain that the server has not executed them. All calls together
//! may make retries for a fifth of their number and ten a second besides, those apart that only
//! wait for a connection: an outage is not answered with a multiple of the load.
//!
//! A connection that the server sends away (GOAWAY) or that breaks is replaced at once, and
//! calls that were turned away with it move to another without counting as a retry, again and
//! again where a proxy such as nginx ends connections after some calls each.
//!
//! # Where a server is
//!
//! The name is looked up for every connection anew: after a failure, after a GOAWAY, and when a
//! connection has reached its [age](Builder::max_connection_age). Where it gives several
//! addresses they are tried 250 ms apart, families in turn (RFC 8305), until one has sent its
//! HTTP/2 settings, within TLS where that is spoken. An address that swallows packets, hangs
//! after it has accepted, closes, or speaks something else costs those 250 ms at most.
//!
//! # One client, one cache
//!
//! Servers know nothing of one another. All connections of a client lead to the same address,
//! for as long as the name gives that address and it answers. What the client cannot see is a
//! load balancer that is one address itself, such as a ClusterIP Service of Kubernetes or a
//! proxy: it spreads connections, or calls, over the servers behind it. In front of several
//! independent caches that makes misses of values that are there, two holders of one
//! `set_if_absent` lock, and reads of values that were overwritten. Put none there: give each
//! cache a name of its own (in Kubernetes a Service for each, or the pods' names behind a
//! headless one) and each client one of these names.
//!
//! # Features
//!
//! - `opentelemetry` (default): calls carry the context of the caller's active span.
//! - `testing`: `testing::TestServer`, a server in the process, for your own tests.
//!
//! # Runtimes
//!
//! Calls need a tokio runtime with time and I/O enabled; a client can be built without one. See
//! [`Client`] for clients that are used from several.
//!
//! [`set_if_absent`]: Client::set_if_absent
//! [`compare_and_set`]: Client::compare_and_set

// The way of a call:
mod client; // one method for each operation
mod request; // what holds for this call; awaiting it
mod operation; // one file for each kind: check, call, read the reply
mod call; // tries, and the pauses between them
mod patience; // how long, and how often
mod retry; // when, after which pause, how often altogether
mod pool; // the least busy connection; their upkeep
pub mod transport; // one connection, and single calls over it
mod trace; // the caller's span
mod error; // every failure, and its words

// Beside the calls:
mod address; // as people write it
mod builder; // everything that can be set
mod health; // what a server says of itself, and whether it answers
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
    transport::ReplyMetadata,
    ttl::Ttl,
};
