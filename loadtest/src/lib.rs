//! Drives a tiny-cache server with real traces or a made-up workload and reports what it saw.
//!
//! The path of one access: [`cli`] reads the settings, [`trace`] turns a line of a file
//! into an [`Access`](access::Access), [`replay`] issues it over a [`transport`] and
//! tallies the outcome, [`report`] says what the tallies add up to. A made-up workload goes from
//! [`cli`] through [`run`], which has its own plan, operations and report, over the same
//! [`transport`].

// The command line: what can be asked, and what each option means.
pub mod cli;

// One access of a trace: a key and what is done with it.
pub mod access;

// Trace files: plain or zstd, ARC or twitter/cache-trace, read as a stream.
pub mod trace;

// The replay itself: threads, requests in flight, tallies, progress.
pub mod replay;

// A synthetic workload, at a rate of its own or as fast as the server answers.
pub mod run;

// Values to write.
mod values;

// Whether what was read is what was written.
pub mod verify;

// Ctrl-C.
mod interrupt;

// gRPC connections to a cache server, and the calls made over them.
pub mod transport;

// What a run is summed up to, as a table and as JSON.
pub mod report;
