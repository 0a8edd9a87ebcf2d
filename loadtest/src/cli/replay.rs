//! The options of a replay, and what they add up to.

use std::{ops::Bound, time::Duration};

use clap::Args;
use tiny_cache_client::Ttl;

use super::{
    drive::{DriveArgs, Origin},
    parse::{positive_duration, within},
    trace_file::TraceArgs,
};
use crate::{
    access::{self, Content, ValueSize},
    engine::Pace,
    error::Refusal,
    peers::{Target, check_key},
    spec::{Replay, TraceSpec},
    trace::Keys,
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

/// The options of a replay.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// What is replayed
    #[command(flatten)]
    pub trace: TraceArgs,

    /// Keep the trace's own times, at this multiple of its speed, such as 1 or 0.5 or 20 (open
    /// loop) [default: as fast as the server answers]
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub speed: Option<f64>,

    /// After a read that misses, wait this long for a database before the value is set.
    /// Rounded up to whole milliseconds [default: no time]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub origin: Option<Duration>,

    /// Read with a lease: of those that miss a key, one goes to the origin and the others wait
    /// for its value in the server
    #[arg(long, requires = "origin")]
    pub leases: bool,

    /// Bytes of a value whose size is not in the trace, such as 512, 1KiB or 2MB
    #[arg(long, value_name = "SIZE", default_value = "1KiB")]
    pub value_size: ValueSize,

    /// Time to live of a value whose ttl is not in the trace, such as 30s, 1h or 7d;
    /// 0 never expires
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = access::ttl)]
    pub ttl: Ttl,

    /// Text to put before every key
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub key_prefix: String,

    /// What is driven
    #[command(flatten)]
    pub drive: DriveArgs,
}

impl ReplayArgs {
    /// What is to be done.
    ///
    /// # Errors
    ///
    /// Options do not go together.
    pub fn spec(&self) -> Result<Replay, Refusal> {
        let prefix = &self.key_prefix;
        if matches!(self.drive.target, Target::Memcached(_)) && !prefix.is_empty() {
            check_key(prefix)
                .map_err(|fault| Refusal::KeyPrefix { prefix: prefix.clone(), fault })?;
        }
        let several = self.drive.namespace.len() > 1;
        Refusal::idle([("more than one --namespace", several)], "run and search")?;
        let pace = match self.speed {
            Some(speed) => {
                let [in_flight, max_in_flight] = self.drive.open();
                Pace::Traced { speed, in_flight, max_in_flight }
            }
            None => self.drive.closed("--speed, which makes an open loop")?,
        };
        let origin = Origin { takes: self.origin.unwrap_or_default(), leases: self.leases };
        let drive = self.drive.drive(pace, Some(origin))?;
        Ok(Replay {
            trace: self.trace(drive.route.max_key_chars())?,
            key_prefix: prefix.clone(),
            pace,
            drive,
        })
    }

    fn trace(&self, max_key_chars: usize) -> Result<TraceSpec, Refusal> {
        let keys = Keys::new(self.key_prefix.clone(), max_key_chars);
        self.trace.spec(keys, Content { size: self.value_size, ttl: self.ttl })
    }
}

fn speed(text: &str) -> Result<f64, &'static str> {
    let above_zero = (Bound::Excluded(0.0), Bound::Included(1e6));
    within(text, above_zero, "expected a factor above 0 and up to 1000000, such as 1 or 0.5 or 20")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        peers::Backend,
        trace::{Format, Reading},
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
        let spec = replay(&[]).unwrap().spec().unwrap();
        assert_eq!(spec.drive.route.target.to_string(), "grpc://127.0.0.1:50051");
        assert_eq!((spec.drive.connections, spec.pace.in_flight()), (4, 64));
        let Content { size, ttl } = spec.trace.reading.fallback;
        assert_eq!((size.bytes(), ttl.seconds()), (1024, 3600));
        assert!((1..=4).contains(&spec.drive.threads));
    }

    #[test]
    fn connections_and_threads_never_outnumber_the_requests() {
        let args = replay(&["--in-flight", "2", "--connections", "8", "--threads", "8"]).unwrap();
        let drive = args.spec().unwrap().drive;
        assert_eq!((drive.connections, drive.threads), (2, 2));
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
            (["--limit", "0"], "expected a whole number of 1 or more"),
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
        let reading =
            |options: &[&str]| replay(options).unwrap().trace(256).map(|trace| trace.reading);
        for (option, value) in [("--columns", "time,key"), ("--delimiter", "tab")] {
            let refused = reading(&[option, value, "--format", "twitter"]).unwrap_err();
            assert_eq!(refused.to_string(), format!("{option} works only with --format csv"));
            assert_eq!(reading(&[option, value]).unwrap().format, Some(Format::Csv));
        }
        assert_eq!(reading(&["--delimiter", "tab"]).unwrap().delimiter, Some(b'\t'));
        assert_eq!(reading(&[]).unwrap().max_gap, Reading::MAX_GAP);
        let format = reading(&["--format", "oracleGeneral"]).unwrap().format;
        assert_eq!(format, Some(Format::OracleGeneral));
    }

    #[test]
    fn tls_is_spoken_where_the_target_asks_for_it_and_is_not_set_up_for_nothing() {
        let named = replay(&["--server-name", "cache.internal"]).unwrap();
        let message = named.spec().unwrap_err().to_string();
        assert_eq!(
            message,
            "--server-name works only with a target that speaks TLS (grpcs:// or rediss://), not \
             grpc://127.0.0.1:50051"
        );
        let missing = ["--target", "grpcs://cache", "--ca", "/nowhere/ca.pem"];
        let route = replay(&missing).unwrap().spec().unwrap().drive.route;
        let message = Backend::new(&route).unwrap_err().to_string();
        assert!(message.starts_with("cannot read /nowhere/ca.pem: No such file"), "{message}");
    }
}
