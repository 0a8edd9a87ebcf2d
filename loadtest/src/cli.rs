//! The command line. Defaults are written here and nowhere else; a setting that is
//! wrong is refused here with what is allowed.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    thread,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    access::{Content, Ttl, ValueSize},
    trace::{Format, Keys, Reading},
    transport::{CallSettings, Dial, Namespace, Target},
};

/// Most threads used when nobody asks for more: the server wants cores as well.
const DEFAULT_THREADS: usize = 4;

/// Most connections or requests in flight. Far beyond what one process can drive, and
/// within what the queues in front of a connection can count.
const MOST: usize = 1_000_000;

/// Longest deadline that can be asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

const EXIT_CODES: &str = "\
Exit codes:
  0    every request was answered
  1    some requests failed; the report says which and why
  2    wrong usage, a missing or broken trace, an unreachable server,
       or not one request was answered
  130  interrupted with Ctrl-C; the report covers what ran";

const REPLAY_MORE: &str = "\
Formats:
  arc      lines `start count 0 n`: reads of the ids start to start+count-1
  twitter  rows `timestamp,key,key size,value size,client id,operation,ttl`, no header

What a twitter operation becomes:
  get gets                  a cache-aside read: Get, and on a miss Set
  set add replace cas
  append prepend incr decr  Set, with the row's value size and ttl
  delete                    Delete
A read's row without a value size or ttl (0) takes --value-size or --ttl; a write's 0
means an empty value, or one that never expires. Conditional and arithmetic operations
are plain writes here: the trace tells how long their values are, not what is in them.

A key is at most 256 characters long, --key-prefix and --namespace included. A longer
one stops the replay with its line number, as any broken line does.

Examples:
  tiny-cache-loadtest replay OLTP.lis.zst
  tiny-cache-loadtest replay cluster52.sort.zst --format twitter --limit 5000000 \\
      --target cache.internal:50051 --in-flight 256 --json cluster52.json
";

/// Drives a tiny-cache server with real traces and reports what it saw.
#[derive(Debug, Parser)]
#[command(name = "tiny-cache-loadtest", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replays a trace file against a server, cache-aside
    ///
    /// Each access of the trace is issued in the trace's order, as fast as the server
    /// answers and with at most --in-flight requests under way: a read is a Get and, on a
    /// miss, a Set. The trace's own timestamps are not kept. A report follows on stdout.
    #[command(after_help = EXIT_CODES, after_long_help = format!("{REPLAY_MORE}\n{EXIT_CODES}"))]
    Replay(Box<ReplayArgs>),
    /// Prints a completion script for a shell
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },
}

/// What a replay can be told.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Trace file, plain or zstd (told by its first bytes)
    pub trace: PathBuf,

    /// Format of the trace; auto goes by the name (.lis, .csv), then by the first line
    #[arg(long, value_enum, default_value_t = FormatChoice::Auto)]
    pub format: FormatChoice,

    /// Server to drive; http:// or grpc:// may stand in front
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50051")]
    pub target: Target,

    /// Connections to open, at most one for each request in flight
    #[arg(long, value_name = "N", default_value = "4", value_parser = count)]
    pub connections: NonZeroUsize,

    /// Requests under way at once, over all connections
    #[arg(long, value_name = "N", default_value = "64", value_parser = count)]
    pub in_flight: NonZeroUsize,

    /// Threads that drive the connections, at most one for each connection
    /// [default: the number of cores, at most 4]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,

    /// Bytes of a value whose size the trace does not tell, such as 512, 1KiB or 2MB
    #[arg(long, value_name = "SIZE", default_value = "1KiB")]
    pub value_size: ValueSize,

    /// Time to live of a value whose ttl the trace does not tell, such as 30s, 1h or 7d;
    /// 0 never expires
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub ttl: Ttl,

    /// Stop after the first N accesses [default: the whole trace]
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroU64>,

    /// Text to put before every key
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub key_prefix: String,

    /// Namespace to work in [default: the shared keyspace]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<Namespace>,

    /// Longest a call may take before it counts as failed, such as 500ms or 2s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,

    /// How long to try to connect at the start
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = positive_duration)]
    pub connect_timeout: Duration,

    /// Write the report to a file as JSON as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// A format, or the wish to have it found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum FormatChoice {
    /// Go by the name, then by the first line
    Auto,
    /// `start count 0 n`, the traces of the ARC paper
    Arc,
    /// The rows of twitter/cache-trace
    Twitter,
}

impl ReplayArgs {
    /// How the trace is to be read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading {
            format: match self.format {
                FormatChoice::Auto => None,
                FormatChoice::Arc => Some(Format::Arc),
                FormatChoice::Twitter => Some(Format::Twitter),
            },
            keys: Keys::new(self.key_prefix.clone(), self.namespace.as_ref()),
            fallback: Content { size: self.value_size, ttl: self.ttl },
        }
    }

    /// How a connection to the server is to be made.
    #[must_use]
    pub fn dial(&self) -> Dial {
        Dial {
            target: self.target.clone(),
            patience: self.connect_timeout,
            queue: self.in_flight.get().div_ceil(self.connections()),
            calls: CallSettings { namespace: self.namespace.clone(), timeout: self.timeout },
        }
    }

    /// Connections that will be opened: none that would never carry a request.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.min(self.in_flight).get()
    }

    /// Threads that will run: none without a connection of its own.
    #[must_use]
    pub fn threads(&self) -> usize {
        let wanted = self.threads.map_or_else(
            || thread::available_parallelism().map_or(1, NonZeroUsize::get).min(DEFAULT_THREADS),
            NonZeroUsize::get,
        );
        wanted.min(self.connections())
    }
}

fn count(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= MOST => Ok(count),
        _ => Err(format!("expected a number from 1 to {MOST}")),
    }
}

fn positive_duration(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST_WAIT => Ok(duration),
        _ => Err("expected a duration with a unit, above zero and up to 24h, such as 500ms or 2s"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn replay(options: &[&str]) -> Result<Box<ReplayArgs>, String> {
        let line = ["tiny-cache-loadtest", "replay", "t.lis"].iter().chain(options);
        match Cli::try_parse_from(line).map_err(|error| error.to_string())?.command {
            Command::Replay(args) => Ok(args),
            Command::Completions { .. } => Err("another command".to_owned()),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let args = replay(&[]).unwrap();
        assert_eq!(args.target.to_string(), "127.0.0.1:50051");
        assert_eq!((args.connections(), args.in_flight.get()), (4, 64));
        assert_eq!((args.value_size.bytes(), args.ttl.seconds()), (1024, 3600));
        assert_eq!(args.dial().queue, 16);
        assert!((1..=4).contains(&args.threads()));
    }

    #[test]
    fn connections_and_threads_never_outnumber_the_requests() {
        let args = replay(&["--in-flight", "2", "--connections", "8", "--threads", "8"]).unwrap();
        assert_eq!((args.connections(), args.threads()), (2, 2));
    }

    #[test]
    fn a_wrong_setting_is_refused_with_what_is_allowed() {
        for (options, expected) in [
            (["--timeout", "0s"], "above zero"),
            (["--ttl", "3000000000s"], "ttl 3000000000 exceeds 2147483647 seconds"),
            (["--value-size", "2GiB"], "exceeds 1073741824 bytes"),
            (["--target", "https://cache"], "TLS is not spoken here"),
            (["--namespace", "-"], "1 to 64 characters"),
            (["--timeout", "25h"], "up to 24h"),
            (["--connect-timeout", "9999999999years"], "up to 24h"),
            (["--in-flight", "0"], "expected a number from 1 to 1000000"),
            (["--connections", "1000001"], "expected a number from 1 to 1000000"),
            (["--limit", "0"], "non-zero"),
        ] {
            let message = replay(&options).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
