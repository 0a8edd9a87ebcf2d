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
//! # Missing values
//!
//! [`Client::get_or_fill`] reads a value, or has it made: of all callers that miss a key at a time, in
//! this process and in others, one asks the origin, and the others get what it made. A value may be
//! served stale while one caller refreshes it. Where the cache is away, the origin is asked. With
//! the feature `json`, values are of the caller's own types.
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
//! # Several caches
//!
//! Servers share no data. A client of several servers sends each key to one of them, by a
//! consistent-hash ring that has the same points as that of gRPC's `ring_hash` policy and of Envoy:
//! clients of all three kinds find each other's keys.
//!
//! ```no_run
//! # use tiny_cache_client::Client;
//! # #[tokio::main]
//! # async fn main() -> tiny_cache_client::Result<()> {
//! let nodes = "tiny-cache-0.tiny-cache-nodes,tiny-cache-1.tiny-cache-nodes";
//! let client = Client::connect(nodes).await?;
//! client.set("greeting", "hello").await?; // on one of the two
//! # Ok(())
//! # }
//! ```
//!
//! - **A list of servers**, as text with commas or as [`Builder::servers`]: each is known by its
//!   [name](Server) and resolved by itself. A server that moves to another address keeps its keys.
//! - **A name for all**, `dns:///tiny-cache-nodes:50051`: each address of the name is a server, known
//!   by address and port. The name is looked up [again and again](Builder::look_up_interval), so
//!   servers come and go. A server that moves is another server. Of a name with addresses of both
//!   families the IPv4 ones count.
//!
//! A server counts as down when two attempts to connect in a row have failed or one takes more than
//! a second, or when its last connection no longer answers a health check. The next server on the
//! ring then takes its keys: calls under way move with their next try, later ones at once. The
//! client connects again in the background, after pauses of 0.2 to 5 s. A server that is back gets
//! its keys one by one in the [time of the warm-up](Builder::warm_up). A value that was written
//! elsewhere meanwhile is missed, and may show up again, outdated, if the server goes down once
//! more before it expires. Where that must not happen, switch [`Builder::failover`] off.
//!
//! Batches are divided by server and sent to all at once; results are in the order of the items. A
//! call that fails fails the items of its server alone. [`Client::stats`] adds up, and
//! [`Client::health`] reports the best. [`Client::server_of`] names the owner of a key,
//! [`Client::holder_of`] the server that takes it now, and [`Client::on_server`] talks to one
//! server. [`Builder::bounded_load`] lets other servers help with a key that many ask for.
//!
//! All connections to one server lead to one address while its name has that address and it
//! answers. But the client cannot see a load balancer behind an address, such as a ClusterIP Service
//! of Kubernetes, which spreads connections or calls over several servers. In front of independent
//! caches it causes misses of stored values, two holders of one `set_if_absent` lock, and reads of
//! overwritten values. A proxy that hashes is none such: Envoy with a ring hash of the metadata
//! `x-cache-key`, which [`Builder::key_metadata`] makes a client send.
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
mod servers; // the server of a key, if there are several
mod ring; // which server that is
mod ring_key; // the text by which a key is placed there
mod pool; // the least busy connection, and the upkeep of all
pub mod transport; // one connection, and single calls over it

// Used along the path:
mod shared; // the state that clones share
mod patience; // deadlines, retries and pauses
mod trace; // the caller's span
mod ttl; // whole seconds
mod entry; // an entry with its version and its times
mod lease; // the right to fill a key
mod milliseconds; // the second service's durations
mod flights; // one fill at a time of a key, in this process
mod condition; // what must hold for a change
mod clock; // instants that do not overflow
mod address; // host, port and TLS
mod server; // a server of several: address, name and weight
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
    condition::Condition,
    entry::{Entry, Version},
    error::{Error, Result},
    kind::ErrorKind,
    lease::Lease,
    operation::*,
    request::{Operation, Request, WriteOperation},
    ring_key::key_metadata,
    server::Server,
    servers::{ServerInfo, ServerState},
    tls::Tls,
    transport::ReplyMetadata,
    ttl::Ttl,
};
