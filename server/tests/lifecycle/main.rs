//! How the server starts and ends: the drain after a signal, under load and
//! with every kind of peer that would hold it up, and the same from the library.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod descriptors;
mod drain;
mod healthcheck;
mod library;
mod load;
mod log;
mod peers;
mod stuck;
