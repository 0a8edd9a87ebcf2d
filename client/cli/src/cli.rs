//! The command line. Defaults are written here and nowhere else, but for those that are the
//! library's own. Completions and the man page come from this definition.

use clap::{Parser, Subcommand, ValueEnum};

use crate::{
    command::{
        conditional::{CompareAndSetArgs, SetIfAbsentArgs},
        delete::DeleteArgs,
        get::GetArgs,
        man::ManArgs,
        mdelete::MdeleteArgs,
        mget::MgetArgs,
        mset::MsetArgs,
        server::{HEALTH_MORE, PING_MORE, STATS_MORE},
        set::SetArgs,
        shell::CompletionsArgs,
    },
    connection::ConnectionArgs,
    watch::WatchArgs,
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
  2  an error; one line on stderr says which

Environment:
  TINY_CACHE_TARGET       the server, where --target does not name it
  TINY_CACHE_NAMESPACE    as --namespace
  TINY_CACHE_TLS          as --tls, if true; a switch (true, false, 1, 0 …)
  TINY_CACHE_CA           as --ca
  TINY_CACHE_CERT         as --cert
  TINY_CACHE_KEY          as --key
  TINY_CACHE_SERVER_NAME  as --server-name
  NO_COLOR                watch-stats without colours, if set and not empty
  An option outdoes its variable; an empty variable is one that is not set.

JSON (--output json):
  One object in one line. A value that is UTF-8 is in `value`, any other is
  in `value_base64`, unless --format chooses; there is never more than one
  of them, and none on a miss. Errors are text on stderr.
";

/// Talks to a tiny-cache server
///
/// Values are bytes, and go in and out unchanged. Keys are text of 1 to 256 characters.
#[derive(Debug, Parser)]
#[command(name = "tiny-cache", version, after_help = MORE, max_term_width = 80)]
// The last one wins: a script can add to what a user has in an alias.
#[command(args_override_self = true)]
// Not help in place of an error, on stdout or not, depending on the environment.
#[command(arg_required_else_help = false)]
pub(crate) struct Cli {
    /// How results are written
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

/// How results are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Output {
    /// For people, and values as they are
    Text,
    /// One JSON object in one line
    Json,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads a value
    Get(GetArgs),
    /// Writes a value
    Set(SetArgs),
    /// Writes a value unless one is there
    SetIfAbsent(SetIfAbsentArgs),
    /// Replaces a value if it is the expected one
    CompareAndSet(CompareAndSetArgs),
    /// Removes a value
    Delete(DeleteArgs),
    /// Reads many values
    Mget(MgetArgs),
    /// Writes many values
    Mset(MsetArgs),
    /// Removes many values
    Mdelete(MdeleteArgs),
    /// Shows the figures of the server
    #[command(after_help = STATS_MORE)]
    Stats,
    /// Checks that the server can be reached and takes calls, and how fast it answers
    #[command(after_help = PING_MORE)]
    Ping,
    /// Shows the health that the server reports
    #[command(after_help = HEALTH_MORE)]
    Health,
    /// Shows the figures of the server as they change
    WatchStats(WatchArgs),
    /// Prints a completion script for a shell
    Completions(CompletionsArgs),
    /// Prints the manual page, or writes all of them
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
