//! A gRPC cache server: a moka-backed, sharded, thread-per-core store with TinyLFU
//! admission and a TTL for each entry, behind a tonic service.
//!
//! [`Server::start`] takes [`Settings`] and serves on threads of its own:
//!
//! ```
//! use tiny_cache_server::{Server, Settings};
//!
//! let settings = Settings::from_vars([("CACHE_PORT", "0"), ("CACHE_HEALTH_PORT", "0")])?;
//! let server = Server::start(settings)?;
//! println!("gRPC on {}", server.grpc_addr());
//! server.shutdown();
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads
//!
//! One acceptor; one worker for each core, with a runtime of its own, which owns its
//! connections for life; one background thread for HTTP and upkeep; one that
//! exports traces, where they are exported, and the program has one that writes its log. A
//! request is served from its first byte to its last on one thread, and takes no lock that
//! another request holds for longer than a write to the same stripe of a shard.

// The way of a connection:
mod listener; // binds the addresses
mod acceptor; // takes connections off the listener
mod handout; // chooses the worker with the fewest
mod worker; // owns its connections for life
pub mod transport; // TLS, HTTP/2, gathered writes, handlers in place

// The way of a request on it:
mod rpc; // request id, route, panic guard, statuses
mod service; // the tonic trait, which delegates
mod command; // one file for each RPC: parse, apply, reply
pub mod store; // route, shard, stripe, entry
mod rejection; // every refusal, and its status

// Beside the requests:
mod cgroup; // the container's memory limit
mod health; // grpc.health.v1
mod histogram; // counts values by size, for one writer
mod http; // health, figures, metrics and the log level over HTTP
mod lifecycle; // starting, serving, draining
mod reflection; // grpc.reflection.v1
mod monitor; // the figures of the running server
mod server; // puts the parts together and ends them
pub mod settings; // the environment
pub mod telemetry; // a span for each RPC, over OTLP
mod sync; // the locks and atomics, or the model checker's

#[cfg(all(test, feature = "shuttle"))]
mod interleavings; // our own concurrency under the model checker

// For the program:
pub mod cli;
pub mod healthcheck;
pub mod logging;

pub use self::{
    listener::BindError,
    server::{Drained, Server, StartError},
    settings::{Settings, SettingsError},
    telemetry::Telemetry,
    transport::TlsError,
};
