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
//! Every operation of [`Client`] returns a [`Request`]. The request is sent when it is awaited, and
//! its methods set options of this call alone: its deadline, retries, namespace and so on. The
//! [`Builder`] sets the options of all calls. A [`Client`] is cheap to clone: clones share its
//! connections, and many tasks can use one client at once.
//!
//! # When a server is not there
//!
//! The client retries a call if it cannot reach the server, the server takes no calls, or no reply
//! comes in time. By default it makes three retries, after random pauses of up to 50, 100 and
//! 200 ms. A try takes at most one second, and a call three, including all tries and pauses: a
//! cache that hangs must not hang its callers. The client reconnects during the rest of a pause, so
//! a server that returns within the sum of the pauses causes delays, not errors. To survive longer
//! restarts, set longer pauses, or use [`Builder::python_defaults`].
//!
//! [`set_if_absent`] and [`compare_and_set`] are repeated only if the server has certainly not
//! executed them. All calls of a client share a retry budget: a fifth of the calls, plus ten a
//! second. Waiting to reconnect is free. An outage therefore never multiplies the load.
//!
//! A connection that breaks, or that the server closes with GOAWAY, is replaced at once. Calls that
//! the server turned away with it move to another connection without counting as a retry, even
//! repeatedly if a proxy such as nginx ends connections after some calls.
//!
//! # Where a server is
//!
//! Each new connection resolves the name again: after a failure, after a GOAWAY, and at the
//! connection's [maximum age](Builder::max_connection_age). Several addresses are tried 250 ms
//! apart, families in turn (RFC 8305), until one sends its HTTP/2 settings, within TLS if the client
//! uses TLS. An address that drops packets, accepts and hangs, closes, or speaks another protocol
//! costs at most those 250 ms.
//!
//! # One client, one cache
//!
//! Servers share no data. All connections of a client lead to one address while the name has that
//! address and it answers. But the client cannot see a load balancer behind that address, such as a
//! ClusterIP Service of Kubernetes or a proxy, which spreads connections or calls over several
//! servers. In front of independent caches it causes misses of stored values, two holders of one
//! `set_if_absent` lock, and reads of overwritten values. Put no load balancer in front of several
//! caches. Give each cache its own name (in Kubernetes a Service for each, or the pods' names behind
//! a headless one) and each client one of these names.
//!
//! # Features
//!
//! - `opentelemetry` (default): calls carry the context of the caller's active span.
//! - `testing`: `testing::TestServer`, a server in the process, for your own tests.
//!
//! # Runtimes
//!
//! Calls need a tokio runtime with time and I/O enabled; a client can be built without one. See
//! [`Client`] for the use of one client from several runtimes.
//!
//! # Inside
//!
//! `architecture` in this crate's source describes tasks, walks and rooms; read it with
//! `cargo doc --document-private-items`.
//!
//! [`set_if_absent`]: Client::set_if_absent
//! [`compare_and_set`]: Client::compare_and_set

mod architecture; // how the rooms work together; documentation only

// The path of a call:
mod client; // the handle that an application holds
mod operation; // a file for each operation: its method, RPC and outcome
mod request; // an operation with its options; awaiting it makes the call
mod options; // the options of one call
mod call; // tries, and the pauses between them
mod moves; // moves to another connection that cost no try
mod retry; // what may be retried, after which pause, and how many
mod pool; // the least busy connection, and the upkeep of all
pub mod transport; // one connection, and single calls over it

// Used along the path:
mod shared; // the state that clones share
mod patience; // deadlines, retries and pauses
mod trace; // the caller's span
mod ttl; // whole seconds
mod clock; // instants that do not overflow
mod address; // host, port and TLS
mod error; // every error, in one line
mod kind; // what a caller may act on

// Before and beside it:
mod builder; // all settings
mod tls; // trusted authorities, the client's certificate
#[cfg(feature = "testing")]
pub mod testing;

pub use self::{
    address::{Address, InvalidAddress},
    builder::Builder,
    client::Client,
    error::{Error, Result},
    kind::ErrorKind,
    operation::*,
    request::{Operation, Request, WriteOperation},
    tls::Tls,
    transport::ReplyMetadata,
    ttl::Ttl,
};
