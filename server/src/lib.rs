//! A gRPC cache server: a sharded, thread-per-core store with a TTL for each entry, and a window
//! before moka's LRU that lets in by frequency, behind a tonic service.
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
//! The [`architecture`] page shows the threads, the way of a request and the drain.
//!
//! The server is ready when each of its parts has reported that it is. When one ends early, the
//! server drains, and [`Server::lost`] returns which one.

mod architecture; // the server on one page

// The way of a connection:
mod listener; // binds the addresses and accepts
mod acceptor; // takes connections off the gRPC listener
mod reserve; // descriptors that it leaves to others
mod handout; // chooses the worker with the fewest
mod worker; // owns its connections for life
mod transport; // TLS, HTTP/2, gathered writes, handlers in place

// The way of a request on it:
mod call; // what one call is
mod access; // who the caller is, and what it may do
mod rpc; // request id, route, panic guard, statuses
mod service; // the tonic trait, which delegates
mod command; // one file for each RPC: parse, apply, reply
pub mod store; // route, shard, stripe, entry; window and residents
mod tier; // a Redis or Valkey under the store, if one is set
mod rejection; // every refusal, and its status

// Beside the requests:
mod certificates; // has them read again, and says until when they are valid
mod cgroup; // the container's memory limit
mod health; // grpc.health.v1
mod histogram; // counts values by size, for one writer
mod http; // health, figures, metrics and the log level over HTTP
mod lifecycle; // starting, serving, draining, and the parts that are waited for or lost
mod quotas; // the file of the namespaces' quotas
mod reflection; // grpc.reflection.v1
mod pinned; // memory that replies hold beside the store
mod monitor; // the figures of the running server
mod reload; // reads files again when they change
mod threads; // one for each part; reports a part that ends early
mod server; // puts the parts together and ends them
pub mod settings; // the environment
pub mod telemetry; // a span for each RPC, over OTLP
mod sync; // the locks and atomics, or the model checker's

#[cfg(all(test, feature = "shuttle"))]
mod interleavings; // our own concurrency under the model checker

// For the program:
pub mod access_command; // what the rules say of somebody; tokens
pub mod cli;
pub mod healthcheck;
pub mod logging;
pub mod program; // serves until a signal or a lost part ends the process

// For fuzz targets:
#[cfg(fuzzing)]
pub mod fuzzing;

pub use self::{
    access::{AccessError, Right},
    lifecycle::{Lost, Part},
    listener::BindError,
    quotas::QuotasError,
    server::{Drained, Server, StartError, Telemetry},
    settings::{Settings, SettingsError, Transport},
    tier::TierError,
    transport::TlsError,
};
