//! Drives a tiny-cache server with real traces or a made-up workload and reports what it saw.
//!
//! The path of a request: [`cli`] reads the options and makes a [`spec`] of them; [`run`],
//! [`replay`] or [`search`] opens a session for it; the threads of the [`engine`] take operations
//! from a [`workload`] or a [`trace`], send them to one of the [`peers`] at their instants and
//! tally the replies; a [`report`] sums up the tallies, and an [`outcome`] judges it. The
//! [`architecture`] has the threads, the way of one request and the end of a run.

// Threads, the way of a request, what each room must never know.
pub mod architecture;

// The command line: what can be asked, and what each option means.
pub mod cli;

// What they ask for, as plain data.
pub mod spec;
pub mod slo;

// The commands: one file each.
pub mod compare;
pub mod generate;
pub mod html;
pub mod optimum;
pub mod replay;
pub mod run;
pub mod search;

// What every run has around its requests: connections, Ctrl-C, and those who watch.
pub(crate) mod session;
pub mod interrupt;
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

// What is driven, and the connections to it.
pub mod peers;

// What a run is summed up to, as a table and as JSON.
pub mod report;
pub mod hdr;
mod json;

// The machine, and what the server uses of it.
pub mod machine;
pub mod usage;

// And where that goes.
pub(crate) mod outputs;
pub mod output_file;

// How it ended, or why it did not begin.
pub mod error;
pub mod outcome;
