//! The parts that the server cannot serve without.

use std::fmt::{self, Display, Formatter};

use thiserror::Error;

/// A part of the server, shown by the name of its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// One of the threads that own connections.
    Worker(usize),
    /// Takes connections off the gRPC port.
    Acceptor,
    /// Answers on the HTTP port.
    Http,
    /// Sweeps expired entries.
    Upkeep,
    /// Asks the second tier.
    Tier,
    /// Reads files again when they change.
    Reload,
    /// Writes the log.
    Log,
    /// Exports spans.
    Export,
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(index) => write!(f, "worker-{index}"),
            Self::Acceptor => f.write_str("acceptor"),
            Self::Http => f.write_str("http"),
            Self::Upkeep => f.write_str("upkeep"),
            Self::Tier => f.write_str("tier"),
            Self::Reload => f.write_str("reload"),
            Self::Log => f.write_str("log"),
            Self::Export => f.write_str("export"),
        }
    }
}

/// A part that ended before the server was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the part {part} has ended early: {reason}")]
pub struct Lost {
    /// Which part.
    pub part: Part,
    /// What ended it.
    pub reason: String,
}

impl Lost {
    /// What an operator does about it.
    pub(crate) const REMEDY: &str =
        "start the server again; if a part is lost again, report it with this log";

    /// Writes the loss to standard error past the log, which may be what was lost.
    #[expect(clippy::print_stderr, reason = "no thread is left that writes the log")]
    pub(crate) fn print(&self) {
        eprintln!("tiny-cache-server: {self}; {}", Self::REMEDY);
    }
}
