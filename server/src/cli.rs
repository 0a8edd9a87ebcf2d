//! The command line. The settings are environment variables, which `--help` lists.

use std::{fmt::Write as _, path::PathBuf};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{access::Right, settings::VARIABLES};

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
    /// Reads CACHE_HEALTH_HOST, CACHE_HEALTH_PORT and CACHE_HEALTH_TLS_ENABLED as the server does.
    /// For containers without curl. Over TLS it does not look at the certificate.
    Healthcheck,
    /// Say what the rules let somebody do, or only whether the rules file is valid.
    ///
    /// With --right, exits with 0 when the rules give that right, and with 1 when they do not. Exits
    /// with 2 when the file cannot be used.
    CheckAccess(CheckAccess),
    /// Make a bearer token, or the line of a token file for one.
    ///
    /// A token file has a name and the SHA-256 of a token on each line, so that it holds no token.
    #[command(subcommand)]
    Token(Token),
}

/// Who is asked about.
#[derive(Debug, Args)]
pub struct CheckAccess {
    /// The rules file.
    #[arg(long, env = "CACHE_ACCESS_RULES_PATH", value_name = "FILE")]
    pub rules: PathBuf,
    /// Who: certificate:NAME, token:NAME or jwt:NAME. Without it only the file is checked.
    #[arg(long, value_name = "KIND:NAME")]
    pub identity: Option<String>,
    /// Where: a namespace, or _shared for the shared keyspace.
    #[arg(long, value_name = "NAME", default_value = "_shared", requires = "identity")]
    pub namespace: String,
    /// What: read, write or administer.
    #[arg(long, requires = "identity")]
    pub right: Option<Right>,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Print a new token of 256 random bits.
    New,
    /// Read a token from standard input, and print its line for a token file.
    Hash {
        /// Whose token it is.
        name: String,
    },
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
        "\nExit codes: 0 drained, healthy or allowed, 1 not healthy or not allowed, 2 a wrong \
         setting or file, or an address in use, 3 a part of the server was lost (the log names it), 128 + n ended by a second \
         signal n",
    );
    text
}
