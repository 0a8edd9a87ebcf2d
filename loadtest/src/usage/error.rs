//! Why a server's figures are not to be had.

use std::{io, net::SocketAddr, time::Duration};

use bytesize::ByteSize;
use http::StatusCode;
use thiserror::Error;

use super::NoSample;

/// A server's figures are not to be had, and what would help.
#[derive(Debug, Error)]
pub enum UsageError {
    /// No address behind the name of the server.
    #[error("cannot resolve `{host}`: {problem}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the system says.
        problem: io::Error,
    },
    /// The address is another machine's.
    #[error("{0} is not of this machine: give --server-metrics")]
    Elsewhere(SocketAddr),
    /// No socket in this network namespace listens there.
    #[error(
        "nothing on this machine listens on {0}, or a container does: give --server-metrics, or \
         run in the server's network namespace"
    )]
    NobodyListens(SocketAddr),
    /// There is a socket, but no process that may be looked into has it.
    #[error(
        "the process that listens on {address} is of another user (the socket is of uid {uid}) or \
         of another PID namespace: run as that user or root, or give --server-metrics"
    )]
    OutOfSight {
        /// The server's.
        address: SocketAddr,
        /// The user who made the socket.
        uid: u32,
    },
    /// The process is there no more.
    #[error("process {pid} ({name}) has ended")]
    Ended {
        /// Its number.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// The kernel's figures cannot be read.
    #[error("cannot read /proc: {0}")]
    Unreadable(String),
    /// Only Linux reports which process listens on a port.
    #[error("the process behind a port cannot be told on this system: give --server-metrics")]
    Unsupported,
    /// The second sample has less CPU time than the first.
    #[error("the server's CPU time went back from {before:?} to {after:?}: it was restarted")]
    Restarted {
        /// In the first sample.
        before: Duration,
        /// In the second.
        after: Duration,
    },
    /// The page of metrics does not give the figures.
    #[error("--server-metrics {url}: {problem}")]
    Metrics {
        /// The page.
        url: String,
        /// What is wrong.
        problem: MetricsProblem,
    },
}

/// What is wrong with a page of metrics.
#[derive(Debug, Error)]
pub enum MetricsProblem {
    /// The text is no such address.
    #[error("expected http://HOST:PORT/PATH")]
    Address,
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    /// The exchange broke off.
    #[error("no reply in HTTP/1.1: {0}")]
    Exchange(hyper::Error),
    /// The page did not come in time.
    #[error("no reply within {}", humantime::format_duration(*.0))]
    Slow(Duration),
    /// Something else than the page came.
    #[error("replied {0}")]
    Status(StatusCode),
    /// The page broke off, or is no page of metrics.
    #[error("the page broke off or is longer than {limit}: {problem}")]
    Page {
        /// The longest page that is read.
        limit: ByteSize,
        /// What happened.
        problem: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A figure is not on the page.
    #[error("{name} {problem}")]
    Sample {
        /// Of the figure.
        name: &'static str,
        /// What is wrong with it.
        problem: NoSample,
    },
}
