//! What the commands return when a run did not begin or its report could not be written: the
//! errors of the rooms, and the exit code.

use std::{io, path::PathBuf};

use thiserror::Error;
use tiny_cache_client::transport::InvalidToken;
use tiny_cache_proto::codec::MAX_BATCH_ITEMS;

use crate::{
    descriptors::TooFewDescriptors,
    engine::StartError,
    interrupt::INTERRUPTED,
    output_file::OutputError,
    peers::{CallError, Unreachable},
    report::ReadError,
    trace::{Format, TraceError},
};

/// Why a run did not begin, or its report could not be written.
#[derive(Debug, Error)]
pub enum Error {
    /// Options do not go together.
    #[error(transparent)]
    Refused(#[from] Refusal),
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
    /// A file of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] tiny_cache_client::Error),
    /// No connection could be made.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// What listens there does not answer as a cache server would.
    #[error("{target} does not answer as a tiny-cache server: Stats: {}", failure.named())]
    Unfit {
        /// What was asked.
        target: String,
        /// What became of the question.
        failure: CallError,
    },
    /// There is no room for the connections.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// A thread could not start, or the prefill failed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An earlier report cannot be read.
    #[error(transparent)]
    Report(#[from] ReadError),
    /// A report's page would take its place.
    #[error("the page would replace the report {}; name another file with --output", .0.display())]
    SameFile(PathBuf),
    /// Something cannot be shown or written as asked for.
    #[error(transparent)]
    Outputs(#[from] OutputError),
    /// A made trace, or a report's page, cannot be written.
    #[error("cannot write {}: {error}", to.display())]
    Unwritable {
        /// Where to.
        to: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The system gives no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Runtime(#[from] io::Error),
    /// An interrupt came first.
    #[error("interrupted before the first request")]
    Interrupted,
}

impl Error {
    /// What the process exits with.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Interrupted) { INTERRUPTED } else { 2 }
    }
}

/// Why options are refused.
#[derive(Debug, Error)]
pub enum Refusal {
    /// An option that means nothing beside another one.
    #[error("{option} works only with {needs}")]
    Idle {
        /// The option.
        option: &'static str,
        /// What it works with.
        needs: String,
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
    /// The environment has a token that cannot be used.
    #[error("TINY_CACHE_TOKEN: {0}")]
    Token(#[from] InvalidToken),
    /// Servers and their pages of metrics differ in number.
    #[error("{pages} of --server-metrics for {servers} servers; give one for each, or none")]
    Metrics {
        /// How many pages are given.
        pages: usize,
        /// How many servers there are.
        servers: usize,
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
    #[error("--batch {0} exceeds {MAX_BATCH_ITEMS} keys")]
    Batch(usize),
    /// No rate is left to try.
    #[error("--from {from} is above --to {to}: no rate is left to try")]
    Range {
        /// The first rate.
        from: u64,
        /// The highest rate.
        to: u64,
    },
}

impl Refusal {
    /// Refuses the first of these options that is there.
    pub(super) fn idle<const N: usize>(
        options: [(&'static str, bool); N],
        needs: impl Into<String>,
    ) -> Result<(), Self> {
        match options.into_iter().find(|(_, is_there)| *is_there) {
            Some((option, _)) => Err(Self::Idle { option, needs: needs.into() }),
            None => Ok(()),
        }
    }
}
