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
    trace::{Columns, Format, Keys, Reading, TimeUnit},
};

pub(super) const MORE: &str = "\
Formats, each told by what a file of it must have (--format auto):
  arc             lines `start count 0 n`: reads of the ids start to start+count-1
  lirs            lines `id`: a read; lines with an asterisk are left out
  twitter         rows `timestamp,key,key size,value size,client id,operation,ttl`, no header
  cachelib        rows below a header that names at least `key,op,size`, in any order; op_count,
                  ttl, op_time and key_size are read as well
  csv             any table with a header that names a key, or whose columns --columns names:
                  time, key, size, op, ttl, key_size, op_count, in any order; cells may be quoted
  oracle-general  records of 24 bytes, little-endian: u32 time, u64 id, u32 size, i64 next
  cache2k         ids of 4 bytes, big-endian
A file may be compressed with zstd, gzip, xz or lz4. Lines that begin with # and are no rows are
comments. What could be of two formats is refused.

What an operation becomes, in small or capital letters:
  get gets get_lease read               a cache-aside read: Get, and on a miss Set
  set set_lease add replace cas put
  append prepend incr decr write update Set, with the row's value size and ttl
  delete del remove                     Delete
Each is made as often as op_count says. Rows without an operation are reads. A read's row without
a value size or ttl (0) takes --value-size or --ttl; a write's 0 means an empty value, or one that
never expires. Where a trace has no sizes or ttls at all, writes take these too. Conditional and
arithmetic operations are plain writes here: the trace tells how long their values are, not what
is in them. Leases are not taken.

A key is at most 256 characters long, --key-prefix and --namespace included, and filled up with
zeros to the row's key_size. A longer one is a broken row, or with --hash-long-keys ends in a hash.
A broken row stops the replay with its file and line, or with --skip-broken is left out.

Examples:
  tiny-cache-loadtest replay OLTP.lis.zst
  tiny-cache-loadtest replay cluster52.sort.zst --format twitter --limit 5000000 \\
      --target cache.internal:50051 --in-flight 256 --json cluster52.json
  tiny-cache-loadtest replay day1.csv.gz day2.csv.gz --columns time,key,size,op,ttl --time-unit ms
  tiny-cache-loadtest replay w01.oracleGeneral.bin.zst --speed 60 --hash-long-keys
  bzcat trace.bz2 | tiny-cache-loadtest replay - --format lirs
";

/// What a replay can be told.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Trace files, replayed one after the other as one trace; - is standard input. Plain, or
    /// compressed with zstd, gzip, xz or lz4
    #[arg(required = true, value_name = "TRACE")]
    pub traces: Vec<PathBuf>,

    /// Format of the trace; auto goes by what the file has
    #[arg(long, value_enum, default_value_t = FormatChoice::Auto)]
    pub format: FormatChoice,

    /// Of csv: the columns from left to right, such as time,key,size,op,ttl with - for one to
    /// ignore; or by name or number, such as key=object,time=1 [default: those of the header]
    #[arg(long, value_name = "LIST")]
    pub columns: Option<Columns>,

    /// Of csv: what stands between columns, one character, tab or space [default: found out]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<u8>,

    /// What the trace's times count [default: s, or what a header says, as in time_ms]
    #[arg(long, value_enum, value_name = "UNIT")]
    pub time_unit: Option<UnitChoice>,

    /// A longer time between two rows, ahead or back, is a break in the trace's times: it is
    /// counted, and the replay goes on at once
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = max_gap)]
    pub max_gap: Duration,

    /// Leave broken rows out and count them [default: stop at the first]
    #[arg(long)]
    pub skip_broken: bool,

    /// Replace the end of a key that is too long by a hash of the key [default: a broken row]
    #[arg(long)]
    pub hash_long_keys: bool,

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
    /// Go by what the file has
    Auto,
    /// `start count 0 n`, the traces of the ARC paper
    Arc,
    /// An id in each line, the traces of the LIRS paper
    Lirs,
    /// The rows of twitter/cache-trace
    Twitter,
    /// The rows with a header of CacheLib's cachebench, the key-value traces of Meta
    Cachelib,
    /// Any table whose columns a header or --columns names
    Csv,
    /// libCacheSim's records of 24 bytes, in which most public traces are distributed
    #[value(alias = "oracleGeneral")]
    OracleGeneral,
    /// The ids of 4 bytes of cache2k's benchmarks
    Cache2k,
}

/// What times count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum UnitChoice {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
    /// Nanoseconds
    Ns,
}

impl ReplayArgs {
    /// How the trace is to be read.
    ///
    /// # Errors
    ///
    /// An option is there that means nothing to this format.
    pub fn reading(&self) -> Result<Reading, Error> {
        let csv = matches!(self.format, FormatChoice::Auto | FormatChoice::Csv);
        for (given, option) in
            [(self.columns.is_some(), "--columns"), (self.delimiter.is_some(), "--delimiter")]
        {
            if given && !csv {
                return Err(Error::Idle { option, needs: "--format csv" });
            }
        }
        let format = match self.format {
            FormatChoice::Auto => self.columns.as_ref().map(|_| Format::Csv),
            FormatChoice::Arc => Some(Format::Arc),
            FormatChoice::Lirs => Some(Format::Lirs),
            FormatChoice::Twitter => Some(Format::Twitter),
            FormatChoice::Cachelib => Some(Format::Cachelib),
            FormatChoice::Csv => Some(Format::Csv),
            FormatChoice::OracleGeneral => Some(Format::OracleGeneral),
            FormatChoice::Cache2k => Some(Format::Cache2k),
        };
        let keys = Keys::new(self.key_prefix.clone(), self.server.max_key_chars());
        let fallback = Content { size: self.value_size, ttl: self.ttl };
        Ok(Reading {
            format: format.or(self.delimiter.map(|_| Format::Csv)),
            columns: self.columns.clone(),
            delimiter: self.delimiter,
            time_unit: self.time_unit.map(|unit| match unit {
                UnitChoice::S => TimeUnit::Seconds,
                UnitChoice::Ms => TimeUnit::Milliseconds,
                UnitChoice::Us => TimeUnit::Microseconds,
                UnitChoice::Ns => TimeUnit::Nanoseconds,
            }),
            max_gap: self.max_gap,
            skip_broken: self.skip_broken,
            ..Reading::new(keys.hash_long(self.hash_long_keys), fallback)
        })
    }

    /// The trace's files, for people.
    #[must_use]
    pub fn files(&self) -> String {
        let files: Vec<_> = self.traces.iter().map(|path| path.display().to_string()).collect();
        files.join(" ")
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

fn delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        b"space" => Ok(b' '),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => Ok(*byte),
        _ => Err("expected one character that is no letter, digit or quote, or tab or space"),
    }
}

fn max_gap(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a duration with a unit, such as 10m, 1h or 30d")
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
            (["--columns", "time,size"], "the key has no column"),
            (["--delimiter", "ab"], "expected one character"),
            (["--max-gap", "5"], "such as 10m, 1h or 30d"),
            (["--time-unit", "days"], "possible values: s, ms, us, ns"),
        ] {
            let message = replay(&options).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn an_option_of_one_format_is_refused_beside_another() {
        let reading = |options: &[&str]| replay(options).unwrap().reading();
        for (option, value) in [("--columns", "time,key"), ("--delimiter", "tab")] {
            let refused = reading(&[option, value, "--format", "twitter"]).unwrap_err();
            assert_eq!(refused.to_string(), format!("{option} is for --format csv"));
            assert_eq!(reading(&[option, value]).unwrap().format, Some(Format::Csv));
        }
        assert_eq!(reading(&["--delimiter", "tab"]).unwrap().delimiter, Some(b'\t'));
        assert_eq!(reading(&[]).unwrap().max_gap, Reading::MAX_GAP);
        let format = reading(&["--format", "oracleGeneral"]).unwrap().format;
        assert_eq!(format, Some(Format::OracleGeneral));
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
