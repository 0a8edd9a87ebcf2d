//! The command line. Defaults are written here and nowhere else; a setting that is
//! wrong is refused here with what is allowed.

mod compare;
mod html;
mod load;
mod output;
mod run;
mod search;
mod server;
mod target;
mod tls;
mod workload;

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    thread,
    time::Duration,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tiny_cache_client::Ttl;

pub use self::{
    compare::CompareArgs,
    html::HtmlArgs,
    load::LoadArgs,
    output::{OutputArgs, Progress},
    run::{Rate, RunArgs},
    search::SearchArgs,
    server::ServerArgs,
    target::{InvalidTarget, Place, RedisPlace, Target},
    tls::{TlsArgs, TlsError},
    workload::WorkloadArgs,
};
use crate::{
    access::{self, Content, ValueSize},
    engine::{Course, Length, Pace},
    error::Error,
    trace::{Format, Keys, Reading},
};

/// Most threads used when nobody asks for more: the server wants cores as well.
const DEFAULT_THREADS: usize = 4;

/// Most connections or requests in flight: far beyond what one process can drive.
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

const RUN_EXIT_CODES: &str = "\
Exit codes:
  0    every request was answered
  1    some requests failed, a value was wrong (--verify), the slip was above --max-slip,
       there were more than --max-in-flight requests under way, or a worker process was
       lost; the report and an error line say which
  2    wrong usage, an unreachable server, a prefill that failed,
       or not one request was answered
  130  interrupted with Ctrl-C; the report covers what ran";

const RUN_MORE: &str = "\
Every value of a key has the same size and the same bytes, so that a compare-and-set
finds what it expects wherever the key is there. Sizes are thus distributed over keys.

The same --seed and number of --threads give the same operations in every run.

Other systems, driven by the same operations at the same instants:
  redis://HOST[:PORT][/DB]
      What speaks RESP, without a login. An mset is a pipeline of SETs, as MSET takes no ttl; a
      compare-and-set is a script, as SET has IFEQ in new servers alone.
  memcached://HOST[:PORT]
      Its text protocol. A compare-and-set is a gets and a cas, thus two round trips; an
      mset is one write of many sets. A key has at most 250 bytes.
Both answer the requests of a connection in their order, so that a slow one delays those
behind it: --connections matters more than with gRPC. --namespace and TLS are for
tiny-cache alone.

Examples:
  tiny-cache-loadtest run --rate 20000 --arrivals poisson --duration 1m --prefill
  tiny-cache-loadtest run --preset twitter/52 --keys 1000000 --rate 20000 --warm-up 10s
  tiny-cache-loadtest run --target redis://127.0.0.1:6379 --preset twitter/52 --rate 20000
  tiny-cache-loadtest run --rate max --in-flight 256 --key-distribution zipf:0.99 \\
      --mix get=80,set=15,mget=5 --value-size lognormal:300:1.2 --json closed.json
";

const SEARCH_EXIT_CODES: &str = "\
Exit codes:
  0    found: the promise held, and did not above, or --to was reached
  1    it held at no rate, or the generator and not the server was the limit, so that
       what was found is a lower bound; the report and an error line say which
  2    wrong usage, an unreachable server, or a prefill that failed
  130  interrupted with Ctrl-C; the report covers what ran";

const SEARCH_MORE: &str = "\
What makes the answer one to rely on:
  - Response times count from the instant that was planned, so a queue shows in them.
  - A step of which less than 99 % was answered in time does not hold, whatever its times: its
    queue grows. In time is until the end of the step and 1 % of it, at least 100 ms, beside
    what the quickest reply took.
  - A step can fail by chance. A rate counts as failed when it did so twice, or when a step
    was broken off at --max-in-flight.
  - A step can hold by chance. The rate that was found has to hold again, --confirm times and
    each at the first attempt; if it does not, the search goes on below it.
  - A percentile needs requests beyond it: p99.9 of 1000 requests is the second longest time.
    Take a --step-duration in which ten or more lie above the highest one.
  - Where the generator slips (--max-slip) nothing is known of the server. The lowest rate that
    failed decides whose limit it was.

Examples:
  tiny-cache-loadtest search --prefill --warm-up 2s
  tiny-cache-loadtest search --slo 'p99<2ms,errors<0.1%' --from 20000 --growth 1.5 \\
      --arrivals poisson --preset twitter/52 --json limit.json
";

const REPLAY_MORE: &str = "\
Formats:
  arc       lines `start count 0 n`: reads of the ids start to start+count-1
  twitter   rows `timestamp,key,key size,value size,client id,operation,ttl`, no header
  cachelib  rows below a header that names at least the columns `key,op,size`, in any order;
            `op_count`, `ttl` and `op_time` are read as well, all others are ignored

What an operation becomes:
  twitter   get gets                  a cache-aside read: Get, and on a miss Set
            set add replace cas
            append prepend incr decr  Set, with the row's value size and ttl
            delete                    Delete
  cachelib  GET GET_LEASE             a cache-aside read, as often as op_count says
            SET SET_LEASE             Set, as often, with the row's size and ttl
            DELETE                    Delete, as often
A read's row without a value size or ttl (0) takes --value-size or --ttl; a write's 0
means an empty value, or one that never expires. Where a cachelib row has no ttl at all,
a write takes --ttl too. Conditional and arithmetic operations are plain writes here: the
trace tells how long their values are, not what is in them. Leases are not taken.

A key is at most 256 characters long, --key-prefix and --namespace included. A longer
one stops the replay with its line number, as any broken line does.

Examples:
  tiny-cache-loadtest replay OLTP.lis.zst
  tiny-cache-loadtest replay cluster52.sort.zst --format twitter --limit 5000000 \\
      --target cache.internal:50051 --in-flight 256 --json cluster52.json
";

/// Drives a tiny-cache server with real traces or a made-up workload and reports what it saw.
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
    /// miss, a Set. With --speed the trace's own times are kept. A report follows on stdout.
    #[command(after_help = EXIT_CODES, after_long_help = format!("{REPLAY_MORE}\n{EXIT_CODES}"))]
    Replay(Box<ReplayArgs>),
    /// Sends a made-up workload at a rate of its own, or as fast as the server answers
    ///
    /// With a --rate the instants of sending are planned ahead and kept whatever the server
    /// does, and latency is counted from them as well (open loop). With --rate max each of
    /// --in-flight requests is followed by the next as soon as it is answered (closed loop).
    /// A report follows on stdout.
    #[command(after_help = RUN_EXIT_CODES, after_long_help = format!("{RUN_MORE}\n{RUN_EXIT_CODES}"))]
    Run(Box<RunArgs>),
    /// Finds the highest rate at which a promise of latency holds
    ///
    /// Steps of an open loop, each at a rate of its own: rates grow from --from until one does
    /// not hold, and what is left between the last two is halved until it is within
    /// --precision. A step holds where every term of --slo does, 99 % of its requests were
    /// answered in time, and the generator kept to its plan. A report follows on stdout.
    #[command(after_help = SEARCH_EXIT_CODES,
              after_long_help = format!("{SEARCH_MORE}\n{SEARCH_EXIT_CODES}"))]
    Search(Box<SearchArgs>),
    /// Compares two reports, or two groups of them, and fails if the second is worse
    ///
    /// Each change comes with a confidence interval: seconds of the runs are drawn anew, in
    /// blocks of some that follow each other (moving block bootstrap, Künsch 1989), and the
    /// figures made of those. A metric is worse or better where the whole interval lies beyond
    /// --threshold, the same where it lies within, and unclear otherwise.
    #[command(after_help = compare::EXIT_CODES, after_long_help = compare::more())]
    Compare(CompareArgs),
    /// Draws the page of --html from an earlier report
    Html(HtmlArgs),
    /// Prints the JSON Schema of the report that --json writes
    Schema,
    /// Lists the workloads that run --preset knows, with their figures
    Presets,
    /// One of the processes of --workers
    #[command(hide = true)]
    Worker,
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

    /// Format of the trace; auto goes by the name (.lis, .csv) and by the first line
    #[arg(long, value_enum, default_value_t = FormatChoice::Auto)]
    pub format: FormatChoice,

    /// Server to drive, with grpcs:// in front where it speaks TLS; grpc://, http:// and
    /// https:// are understood as well; or null, which answers at once
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50051")]
    pub target: Target,

    /// Connections to open, at most one for each request in flight
    #[arg(long, value_name = "N", default_value = "4", value_parser = count)]
    pub connections: NonZeroUsize,

    /// Requests on the wire at once, over all connections; with --speed, those beyond wait in
    /// this process from their instant on [default: 64, with --speed 256]
    #[arg(long, value_name = "N", value_parser = count)]
    pub in_flight: Option<NonZeroUsize>,

    /// Keep the trace's own times, at this multiple of its speed, such as 1 or 0.5 or 20 (open
    /// loop) [default: as fast as the server answers]
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub speed: Option<f64>,

    /// With --speed: stop and fail beyond so many requests on the wire or waiting for it
    /// [default: 65536]
    #[arg(long, value_name = "N", value_parser = count)]
    pub max_in_flight: Option<NonZeroUsize>,

    /// With --speed: fail if 1 % of the requests are sent later than planned by more than this
    /// [default: 1ms]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub max_slip: Option<Duration>,

    /// After a read that misses, wait so long as for a database before the value is set.
    /// Milliseconds are the finest unit [default: no time]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub origin: Option<Duration>,

    /// Threads that drive the connections, at most one for each connection
    /// [default: the number of cores, at most 4]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,

    /// Bytes of a value whose size the trace does not tell, such as 512, 1KiB or 2MB
    #[arg(long, value_name = "SIZE", default_value = "1KiB")]
    pub value_size: ValueSize,

    /// Time to live of a value whose ttl the trace does not tell, such as 30s, 1h or 7d;
    /// 0 never expires
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = access::ttl)]
    pub ttl: Ttl,

    /// Stop after the first N accesses [default: the whole trace]
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroU64>,

    /// Text to put before every key
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub key_prefix: String,

    /// What to write beside the table
    #[command(flatten)]
    pub output: OutputArgs,

    /// How to reach the server
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A format, or the wish to have it found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum FormatChoice {
    /// Go by the name and by the first line
    Auto,
    /// `start count 0 n`, the traces of the ARC paper
    Arc,
    /// The rows of twitter/cache-trace
    Twitter,
    /// The rows with a header of CacheLib's cachebench, the key-value traces of Meta
    Cachelib,
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
                FormatChoice::Cachelib => Some(Format::Cachelib),
            },
            keys: Keys::new(self.key_prefix.clone(), self.server.max_key_chars()),
            fallback: Content { size: self.value_size, ttl: self.ttl },
        }
    }

    /// The course to play.
    ///
    /// # Errors
    ///
    /// An option is there that means nothing at this pace.
    pub fn course(&self) -> Result<Course, Error> {
        if self.server.namespace.len() > 1 {
            return Err(Error::Idle { option: "more than one --namespace", needs: "run" });
        }
        let in_flight = self.in_flight().get();
        let pace = match self.speed {
            Some(speed) => Pace::Traced {
                speed,
                in_flight,
                max_in_flight: self.max_in_flight.map_or(load::MAX_IN_FLIGHT, NonZeroUsize::get),
            },
            None if self.max_in_flight.is_some() => {
                return Err(Error::Idle { option: "--max-in-flight", needs: "--speed" });
            }
            None if self.max_slip.is_some() => {
                return Err(Error::Idle { option: "--max-slip", needs: "--speed" });
            }
            None => Pace::Closed { in_flight },
        };
        Ok(Course { pace, warm_up: Duration::ZERO, length: Length::Whole, seed: 0 })
    }

    /// What a sender may be late by, at the 99th percentile.
    #[must_use]
    pub fn max_slip(&self) -> Duration {
        self.max_slip.unwrap_or(load::MAX_SLIP)
    }

    fn in_flight(&self) -> NonZeroUsize {
        let default =
            if self.speed.is_some() { load::IN_FLIGHT_OPEN } else { load::IN_FLIGHT_CLOSED };
        self.in_flight.or(NonZeroUsize::new(default)).expect("a default is above zero")
    }

    /// Connections that will be opened: none that would never carry a request.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.min(self.in_flight()).get()
    }

    /// Threads that will run: none without a connection of its own.
    #[must_use]
    pub fn threads(&self) -> usize {
        threads(self.threads).min(self.connections())
    }
}

/// Threads to use where nobody said how many.
fn threads(wanted: Option<NonZeroUsize>) -> usize {
    wanted.map_or_else(
        || thread::available_parallelism().map_or(1, NonZeroUsize::get).min(DEFAULT_THREADS),
        NonZeroUsize::get,
    )
}

fn count(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= MOST => Ok(count),
        _ => Err(format!("expected a number from 1 to {MOST}")),
    }
}

fn speed(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= 1e6 => Ok(speed),
        _ => Err("expected a factor above 0 and up to 1000000, such as 1 or 0.5 or 20"),
    }
}

fn positive_duration(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST_WAIT => Ok(duration),
        _ => Err("expected a duration with a unit, above zero and up to 24h, such as 500ms or 2s"),
    }
}

/// The script by which a shell completes this command line.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tiny-cache-loadtest", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash {
        // clap_complete spells a name with a hyphen in two ways in one script:
        // https://github.com/clap-rs/clap/issues/6421
        return script.replace("tiny__subcmd__cache__subcmd__loadtest", "tiny__cache__loadtest");
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Way;

    fn replay(options: &[&str]) -> Result<Box<ReplayArgs>, String> {
        let line = ["tiny-cache-loadtest", "replay", "t.lis"].iter().chain(options);
        match Cli::try_parse_from(line).map_err(|error| error.to_string())?.command {
            Command::Replay(args) => Ok(args),
            _ => Err("another command".to_owned()),
        }
    }

    /// Bash completed nothing after a command: where it looked one up, the name was spelt
    /// otherwise than where it had put it down.
    #[test]
    fn bash_finds_the_commands_that_it_has_noted() {
        let script = completions(Shell::Bash);
        let noted: Vec<_> =
            script.split("cmd=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(noted.iter().any(|name| name.ends_with("replay")), "{noted:?}");
        for name in noted.into_iter().filter(|name| !name.is_empty()) {
            assert!(script.contains(&format!("{name})")), "{name}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let args = replay(&[]).unwrap();
        assert_eq!(args.target.to_string(), "grpc://127.0.0.1:50051");
        assert_eq!((args.connections(), args.in_flight().get()), (4, 64));
        assert_eq!((args.value_size.bytes(), args.ttl.seconds()), (1024, 3600));
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
            (["--target", "http://"], "with grpc:// or grpcs:// in front if wanted"),
            (["--namespace", "-"], "1 to 64 characters"),
            (["--namespace", ""], "1 to 64 characters"),
            (["--cert", "client.pem"], "--key <FILE>"),
            (["--key", "client.key"], "--cert <FILE>"),
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

    #[test]
    fn tls_is_spoken_where_the_target_asks_for_it_and_is_not_set_up_for_nothing() {
        let way = |options: &[&str]| {
            let args = replay(options).unwrap();
            Way::find(&args.target, &args.server)
        };
        let named = ["--server-name", "cache.internal"];
        let message = way(&named).unwrap_err().to_string();
        assert_eq!(
            message,
            "grpc://127.0.0.1:50051 is plain, but TLS is set up; write grpcs:// in front of the target"
        );
        let missing = ["--target", "grpcs://cache", "--ca", "/nowhere/ca.pem"];
        let message = way(&missing).unwrap_err().to_string();
        assert!(message.starts_with("cannot read /nowhere/ca.pem: No such file"), "{message}");
    }
}
