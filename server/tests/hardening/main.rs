//! Attacks on the real binary, each of which prints its figure on one line. Memory, closure and
//! correctness are asserted. Times are printed, and fail a test only where they are far beyond
//! their target: they depend on the machine. `docs/hardening.md` has the figures.
//!
//! Beside the attacks stand a thousand histories of contended keys, a million random calls beside a
//! model, and a soak.
//!
//! ```text
//! make test-hardening                        # two seconds for each attack, a million calls
//! make test-hardening HARDENING_SECONDS=1 HARDENING_CALLS=100000   # as in CI
//! make test-hardening HARDENING_SECONDS=10   # the long form
//! make test-hardening HARDENING_TRANSPORTS=hyper
//! ```
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]
#![expect(clippy::print_stdout, reason = "each attack prints what it cost")]

#[path = "../support/mod.rs"]
mod support;

mod attack; // connections that send the same thing again and again
mod neighbour; // a client that does nothing wrong, and how it fares
mod setting; // how long, and on which transports

mod batches; // a probe beside them
mod descriptors; // a server that has few
mod floods; // frames of each kind
mod rotation; // certificates, authorities and revocation lists that are replaced
mod tenants; // two namespaces, one of them hostile
mod readers; // that stop
mod silent; // sockets that stop

mod histories; // of contended keys, with expiry and eviction
mod random; // calls of every RPC beside a model
mod soak; // a long mixed load
