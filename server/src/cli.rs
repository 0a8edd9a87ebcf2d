//! The command line. The settings are environment variables, which `--help` lists.

use std::fmt::Write as _;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::settings::VARIABLES;

/// A gRPC cache server: sharded, a thread for each core, a TTL for each entry.
#[derive(Debug, Parser)]
#[command(name = "tiny-cache-server", version, max_term_width = 100)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask the running server's /ready and exit with 0 when it is ready, else with 1.
    ///
    /// Reads CACHE_HEALTH_HOST and CACHE_HEALTH_PORT as the server does. For containers without
    /// curl.
    Healthcheck,
}

impl Cli {
    /// Reads the process's arguments; prints help or errors and exits where clap does.
    pub fn read() -> Self {
        let matches = Self::command().after_help(environment()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// The list of variables with their defaults.
fn environment() -> String {
    let mut text = "Environment:\n".to_owned();
    for variable in VARIABLES {
        let default = if variable.default.is_empty() { "unset" } else { variable.default };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}={default}", variable.name);
        let _ = writeln!(text, "      {}", variable.help);
    }
    text.push_str(
        "\nExit codes: 0 drained or healthy, 1 not healthy, 2 a wrong setting or an address in \
         use, 3 a part of the server was lost (the log names it), 128 + n ended by a second \
         signal n",
    );
    text
}
