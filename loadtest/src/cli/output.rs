//! The options of what is written beside the table.

use std::path::PathBuf;

use clap::Args;

/// Files of a run.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs {
    /// Write the report to a file as JSON as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report to a file as a page with charts as well, which needs no network to be
    /// read
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
