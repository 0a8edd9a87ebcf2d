//! The options of drawing an earlier report.

use std::path::PathBuf;

use clap::Args;

/// What to draw, and where to.
#[derive(Args, Clone, Debug)]
pub struct HtmlArgs {
    /// Report, as --json writes it
    #[arg(value_name = "REPORT.json")]
    pub report: PathBuf,

    /// Page to write; - for stdout [default: beside the report, its name ending in .html]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
