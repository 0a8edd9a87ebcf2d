//! The options of drawing an earlier report.

use std::path::PathBuf;

use clap::Args;

pub(super) const EXAMPLES: &str = "\
Examples:
  tiny-cache-loadtest html report.json
  tiny-cache-loadtest html report.json --output - | less
";

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
