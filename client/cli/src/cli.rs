//! The command line. Its defaults are here, except those of the client library. Completions and
//! manual pages are generated from it.

use clap::{Parser, Subcommand};

use crate::{
    command, connection::ConnectionArgs, man::ManArgs, output::Output, shell::CompletionsArgs,
};

const MORE: &str = "\
Examples:
  tiny-cache set greeting hello --ttl 10m
  tiny-cache get greeting
  tiny-cache set photo --file cat.jpg && tiny-cache get photo > copy.jpg
  tiny-cache --target grpcs://cache.internal --ca ca.pem stats
  tiny-cache mget a b c --output json | jq '.items[].value'

Exit codes:
  0  done
  1  a miss, a condition that was not met, or a server that takes no calls
  2  an error, in one line on stderr

Environment:
  TINY_CACHE_TARGET       as --target
  TINY_CACHE_NAMESPACE    as --namespace
  TINY_CACHE_TLS          as --tls, if true, 1, yes or on
  TINY_CACHE_CA           as --ca
  TINY_CACHE_CERT         as --cert
  TINY_CACHE_KEY          as --key
  TINY_CACHE_SERVER_NAME  as --server-name
  NO_COLOR                watch-stats without colours, if set and not empty
  An option overrides its variable; an empty variable counts as not set.

JSON (--output json):
  One object in one line. A value that is UTF-8 is in `value`, any other in
  `value_base64`, unless --format sets its form; a miss has neither. Errors
  are text on stderr.
";

/// Talks to a tiny-cache server
///
/// Values are bytes, and go in and out unchanged. Keys are text of 1 to 256 characters.
#[derive(Debug, Parser)]
#[command(name = "tiny-cache", version, after_help = MORE, max_term_width = 80)]
// The last of an option wins, so that a script can override an alias.
#[command(args_override_self = true)]
// An error, not help: clap writes help to stdout or stderr depending on the environment.
#[command(arg_required_else_help = false)]
pub(crate) struct Cli {
    /// The form of results
    #[arg(
        long,
        help_heading = "Results",
        global = true,
        value_enum,
        value_name = "FORM",
        default_value_t = Output::Text
    )]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "a process makes one")]
pub(crate) enum Command {
    #[command(flatten)]
    Call(command::Command),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
