//! Why a run did not begin, or its report could not be written: one clear line each.

use std::{io, path::PathBuf};

use thiserror::Error;
use tiny_cache_client::transport::Failure;

use crate::{
    cli::TlsError,
    compare::ReadError,
    descriptors::TooFewDescriptors,
    engine::StartError,
    html::HtmlError,
    outcome::INTERRUPTED,
    report::FileError,
    trace::{Format, TraceError},
    transport::{CallError, Unreachable},
    watch::WatchError,
};

/// Why a run did not begin, or its report could not be written.
#[derive(Debug, Error)]
pub enum Error {
    /// An option that means nothing beside another one.
    #[error("{option} is for {needs}")]
    Idle {
        /// The option.
        option: &'static str,
        /// What it is for.
        needs: &'static str,
    },
    /// Keys are too short for their number or too long for the server.
    #[error(
        "--key-size {key_size} is out of range: {keys} keys take {digits} to {longest} characters"
    )]
    KeySize {
        /// What was asked for.
        key_size: usize,
        /// How many keys there are.
        keys: u64,
        /// Digits of the last one.
        digits: usize,
        /// Longest key that the server takes, in this namespace.
        longest: usize,
    },
    /// No key would be cold.
    #[error("--key-distribution hot needs 2 --keys or more: with one, no key is cold")]
    HotKeys,
    /// No key with this prefix can be asked for.
    #[error("--key-prefix {prefix:?}: {fault}")]
    KeyPrefix {
        /// What was asked for.
        prefix: String,
        /// What is wrong with it.
        fault: CallError,
    },
    /// A batch is beyond the wire's limit.
    #[error("--batch {batch} exceeds {} keys", tiny_cache_proto::codec::MAX_BATCH_ITEMS)]
    Batch {
        /// What was asked for.
        batch: usize,
    },
    /// No rate is left to try.
    #[error("--from {from} is above --to {to}")]
    Range {
        /// The first rate.
        from: u64,
        /// The highest rate.
        to: u64,
    },
    /// The trace is missing or broken at its beginning.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// There is no pace to keep.
    #[error(
        "--speed keeps the times of a trace, and {trace} ({}) has none; leave it out, or replay another \
         format",
        format.name()
    )]
    NoTimes {
        /// The trace.
        trace: String,
        /// Its format.
        format: Format,
    },
    /// TLS cannot be spoken as asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No connection could be made.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// What listens there does not answer as a cache server would.
    #[error("{target} does not answer as a tiny-cache server: Stats: {}: {failure}", failure.name())]
    Unfit {
        /// What was asked.
        target: String,
        /// What became of the question.
        failure: Failure,
    },
    /// There is no room for the connections.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// A thread could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A report to compare cannot be read.
    #[error(transparent)]
    Compare(#[from] ReadError),
    /// A file of the report cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An earlier report cannot be drawn.
    #[error(transparent)]
    Html(#[from] HtmlError),
    /// What is shown or written while a run lasts cannot be, or no longer.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// Something that was to be written at the end was not.
    #[error("{0}")]
    Outputs(String),
    /// The table cannot be written.
    #[error("cannot write the report: {0}")]
    Output(io::Error),
    /// A made trace cannot be written.
    #[error("cannot write {}: {error}", to.display())]
    Made {
        /// Where to.
        to: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The system gives no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Runtime(#[from] io::Error),
    /// Ctrl-C came first.
    #[error("interrupted before the first request")]
    Interrupted,
}

impl Error {
    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Interrupted) { INTERRUPTED } else { 2 }
    }
}
