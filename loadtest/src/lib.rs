//! Drives a tiny-cache server with real traces or a made-up workload and reports what it saw.
//!
//! The path of a request: [`cli`] reads the settings; [`run`], [`replay`] or [`search`]
//! makes a [`session`] of them; the threads of the [`engine`] take operations from a [`workload`] or a
//! [`trace`], send them to a [`target`] at their instants and tally what becomes of them;
//! a [`report`] says what the tallies add up to, and an [`outcome`] what to think of it.

// The command line: what can be asked, and what each option means.
pub mod cli;

// The commands: one file each.
pub mod compare;
pub mod generate;
pub mod html;
pub mod replay;
pub mod run;
pub mod search;

// What every run has around its requests: connections, Ctrl-C, and those who watch.
pub(crate) mod session;
mod interrupt;
pub mod descriptors;
pub mod console;
pub mod watch;

// What is sent: a workload that is made up, perhaps after a preset.
pub mod lanes;
pub mod preset;
pub mod workload;

// Or the accesses of a trace file: plain or zstd, read as a stream.
pub mod access;
pub mod trace;

// When it is sent, and what becomes of it.
pub mod engine;

// Values to write.
mod values;

// Whether what was read is what was written.
pub mod verify;

// What is driven, and gRPC connections to it.
pub mod target;
pub mod transport;

// What a run is summed up to, as a table and as JSON.
pub mod report;
pub mod hdr;

// The machine, and what the server uses of it.
pub mod machine;
pub mod usage;

// And where that goes.
pub(crate) mod outputs;

// How it ended, or why it did not begin.
pub mod error;
pub mod outcome;
