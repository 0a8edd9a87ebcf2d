//! What a run shows and writes: options of the command line, as plain data.

use std::path::PathBuf;

use clap::Args;

/// What is shown while a run lasts, and the files that it leaves; none of those that are not
/// asked for.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Wanted {
    /// Write the report to a file as JSON as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report to a file as a page with charts as well, which needs no network to be
    /// read
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write a row for each second to a file as CSV, as soon as the second is over
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Write the latencies of each second to a file, as HdrHistogram's log analyzers read them
    #[arg(long, value_name = "FILE")]
    pub hdr: Option<PathBuf>,

    /// Serve the figures for Prometheus at http://HOST:PORT/metrics while the run lasts; with
    /// port 0 a free one is taken, and said on stderr
    #[arg(long, value_name = "HOST:PORT")]
    pub prometheus: Option<String>,

    /// What stderr shows meanwhile
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
}

/// What stderr shows while a run lasts.
// Its values are documented for the help of --progress.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Progress {
    /// live on a terminal, lines elsewhere
    Auto,
    /// A view of rates and latencies that takes the whole terminal until the report
    Live,
    /// A line every few seconds
    Lines,
    /// Nothing
    None,
}
