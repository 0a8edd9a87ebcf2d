//! The command line of this program.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::{measure::Options, peer::Peer, server::Programs, work::Plan};

/// Measures tiny-cache beside other caches and gRPC servers.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// The server of this repository
    #[arg(long)]
    server: PathBuf,
    /// A server that was built from another state of the repository
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// The directory that prepare.sh filled
    #[arg(long)]
    prepared: PathBuf,
    /// Where the results, logs and certificates go
    #[arg(long)]
    out: PathBuf,
    /// The servers to measure, by their names; all unless given
    #[arg(long, default_value = "")]
    peers: String,
    /// The work to measure, such as `get-64@16x32 latency`; all unless given
    #[arg(long, default_value = "")]
    work: String,
    /// Rounds of each server at each work
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each round
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
}

impl Cli {
    /// What to measure, and how.
    ///
    /// # Errors
    ///
    /// A word names nothing, or a figure makes no sense.
    pub fn options(&self) -> Result<(Options, Plan)> {
        ensure!(self.rounds > 0, "--rounds must be at least 1");
        ensure!((0.1..=600.0).contains(&self.seconds), "--seconds must be 0.1 to 600");
        let options = Options {
            peers: Peer::parse(&self.peers)?,
            programs: Programs {
                server: self.server.clone(),
                baseline: self.baseline.clone(),
                prepared: self.prepared.clone(),
            },
            rounds: self.rounds,
            seconds: self.seconds,
            directory: self.out.clone(),
        };
        Ok((options, Plan::parse(&self.work)?))
    }
}
