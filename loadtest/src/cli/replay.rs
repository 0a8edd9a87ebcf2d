//! The options of a replay, and what they add up to.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum};
use tiny_cache_client::Ttl;

use super::{
    OutputArgs, ServerArgs, Target, count,
    load::{IN_FLIGHT_CLOSED, IN_FLIGHT_OPEN, MAX_IN_FLIGHT, MAX_SLIP},
    positive_duration, threads,
};
use crate::{
    access::{self, Content, ValueSize},
    engine::{Course, Length, Pace},
    error::Error,
    trace::{Format, Keys, Reading},
};

pub(super) const MORE: &str = "\
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

/// What a replay can be told.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Trace file, plain or zstd (told by its first bytes)
    pub trace: PathBuf,

    /// Format of the trace; auto goes by the name (.lis, .csv) and by the first line
    #[arg(long, value_enum, default_value_t = FormatChoice::Auto)]
    pub format: FormatChoice,

    /// Server to drive: HOST:PORT of tiny-cache, with grpcs:// in front where it speaks TLS;
    /// redis://HOST:PORT[/DB] or memcached://HOST:PORT; or null, which answers at once
    #[arg(long, value_name = "TARGET", default_value = "127.0.0.1:50051")]
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
    /// [default: 5ms]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub max_slip: Option<Duration>,

    /// After a read that misses, wait so long as for a database before the value is set.
    /// Rounded up to whole milliseconds [default: no time]
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
                max_in_flight: self.max_in_flight.map_or(MAX_IN_FLIGHT, NonZeroUsize::get),
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
        self.max_slip.unwrap_or(MAX_SLIP)
    }

    fn in_flight(&self) -> NonZeroUsize {
        let default = if self.speed.is_some() { IN_FLIGHT_OPEN } else { IN_FLIGHT_CLOSED };
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

fn speed(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= 1e6 => Ok(speed),
        _ => Err("expected a factor above 0 and up to 1000000, such as 1 or 0.5 or 20"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        target::Way,
    };

    fn replay(options: &[&str]) -> Result<Box<ReplayArgs>, String> {
        let line = ["tiny-cache-loadtest", "replay", "t.lis"].iter().chain(options);
        match Cli::try_parse_from(line).map_err(|error| error.to_string())?.command {
            Command::Replay(args) => Ok(args),
            _ => Err("another command".to_owned()),
        }
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
