//! The options of the commands about traces.

use std::{num::NonZeroU64, path::PathBuf};

use clap::{Args, Subcommand};

use super::{
    parse::{positive, seed, within},
    trace_file::TraceArgs,
};
use crate::{
    access::{self, Content, ValueSize},
    error::Refusal,
    spec::TraceSpec,
    trace::{Keys, Make, Style},
    workload::{Call, KeyDistribution, Mix, Sizes, Ttls, WorkloadSpec},
};

pub(super) const MORE: &str = "\
What is made, of random numbers that --seed alone decides:
  keys    --once of the accesses read a key that no other access asks for; all others take one
          of --keys by --key-distribution, the lowest numbers most often
  sizes   belong to the key, drawn from --value-size; a delete has none
  ops     drawn by --mix, of get, set and delete, but a get for --once; ttls of sets by --ttl
  times   a Poisson process of --rate accesses a second, from 0
Popularity does not change over time: a real trace has days, and keys that come and go.

Where real ones come from:
  https://github.com/twitter/cache-trace           Twitter's caches (csv.zst: --format twitter)
  https://github.com/cacheMon/cache_dataset        many, as oracleGeneral.zst
  https://cachelib.org                             Meta's key-value caches (--format cachelib)
  https://github.com/moka-rs/cache-trace           those of the ARC paper (.lis.zst)

Examples:
  tiny-cache-loadtest trace generate --format csv --accesses 100000 --output made.csv
  tiny-cache-loadtest trace generate --accesses 10000000 --once 30% | zstd >made.csv.zst
  tiny-cache-loadtest replay made.csv --speed 10           # ten seconds: the trace has 100
";

/// What can be done with traces.
#[derive(Clone, Debug, Subcommand)]
pub enum TraceCommand {
    /// Makes a trace whose distributions are known
    #[command(after_long_help = MORE)]
    Generate(Box<GenerateArgs>),
    /// Prints the hit ratio that no eviction policy can exceed on a trace
    #[command(after_long_help = OF_OPTIMUM)]
    Optimum(Box<OptimumArgs>),
}

const OF_OPTIMUM: &str = "\
The rule is Belady's: the entry goes whose next read is farthest away, or the one that comes is not
let in. It needs the future, so no server can follow it. Entries count as equally large, and times
to live do not count. Memory: some 16 bytes for each access, and 24 for each key.

Examples:
  tiny-cache-loadtest trace optimum OLTP.lis.zst --entries 1868,9344,28032
  tiny-cache-loadtest trace generate | tiny-cache-loadtest trace optimum - --entries 10000
";

/// The options of the optimum.
#[derive(Args, Clone, Debug)]
pub struct OptimumArgs {
    /// What is read
    #[command(flatten)]
    pub trace: TraceArgs,

    /// Entries that a cache may hold, one or more
    #[arg(long, value_name = "N,…", required = true, value_delimiter = ',', value_parser = positive::<NonZeroU64>)]
    pub entries: Vec<NonZeroU64>,
}

impl OptimumArgs {
    /// What is to be read.
    ///
    /// # Errors
    ///
    /// Options do not go together.
    pub fn spec(&self) -> Result<TraceSpec, Refusal> {
        // No server takes the keys and the values: any length will do.
        let keys = Keys::new(String::new(), usize::MAX);
        let size = ValueSize::from_bytes(0).expect("it is no more than the most");
        let content = Content { size, ttl: access::ttl("0").expect("it never expires") };
        self.trace.spec(keys, content)
    }
}

/// The options of a made trace.
#[derive(Args, Clone, Debug)]
pub struct GenerateArgs {
    /// Write to this file [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// How rows are written
    #[arg(long, value_enum, default_value_t = Style::Twitter)]
    pub format: Style,

    /// Rows
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = positive::<NonZeroU64>)]
    pub accesses: NonZeroU64,

    /// Keys that are asked for again
    #[arg(long, value_name = "N", default_value = "100000", value_parser = keys)]
    pub keys: u64,

    /// How often which: uniform, zipf:EXPONENT, hot:KEYS%:OPERATIONS% or sequential
    #[arg(long, value_name = "DISTRIBUTION", default_value = "zipf:0.9")]
    pub key_distribution: KeyDistribution,

    /// Share of the accesses that read a key which no other asks for (one-hit wonders)
    #[arg(long, value_name = "PERCENT", default_value = "15%", value_parser = percent)]
    pub once: f64,

    /// Bytes of a value: a size, a range such as 64..4096, lognormal:MEDIAN:SIGMA or file:PATH
    #[arg(long, value_name = "SIZES", default_value = "lognormal:500:1")]
    pub value_size: Sizes,

    /// Shares of get, set and delete
    #[arg(long, value_name = "OP=WEIGHT,…", default_value = "get=97,set=2.5,delete=0.5", value_parser = mix)]
    pub mix: Mix,

    /// Time to live of a set: a time, a range such as 1m..2h, or TTL=WEIGHT,…; 0 never expires
    #[arg(long, value_name = "TTLS", default_value = "1d")]
    pub ttl: Ttls,

    /// Accesses in a second of the trace's time
    #[arg(long, value_name = "N", default_value = "1000", value_parser = rate)]
    pub rate: f64,

    /// Where random numbers begin
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub seed: u64,
}

/// Characters of a key, zeros in front of its number among them.
const KEY_SIZE: usize = 38;

impl GenerateArgs {
    /// What is to be made.
    ///
    /// # Errors
    ///
    /// No key would be cold.
    pub fn make(&self) -> Result<Make, Refusal> {
        if matches!(self.key_distribution, KeyDistribution::Hot { .. }) && self.keys < 2 {
            return Err(Refusal::HotKeys);
        }
        let spec = WorkloadSpec {
            keys: self.keys,
            key_distribution: self.key_distribution,
            key_size: KEY_SIZE,
            value_size: self.value_size.clone(),
            mix: self.mix.clone(),
            batch: 1,
            ttl: self.ttl.clone(),
            seed: self.seed,
            aside: true,
            spaces: 1,
        };
        Ok(Make {
            accesses: self.accesses.get(),
            spec,
            once: self.once,
            rate: self.rate,
            style: self.format,
        })
    }
}

/// Numbers up to here are exact as the floating point ones that distributions draw.
const MOST_KEYS: u64 = 1 << 53;

fn keys(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(keys @ 1..=MOST_KEYS) => Ok(keys),
        _ => Err(format!("expected a number from 1 to {MOST_KEYS}")),
    }
}

fn percent(text: &str) -> Result<f64, &'static str> {
    let expected = "expected a share from 0% to 100%, such as 15%";
    let number = text.strip_suffix('%').ok_or(expected)?;
    within(number, 0.0..=100.0, expected).map(|percent| percent / 100.0)
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let expected = "expected a number above 0 and up to 1000000000, such as 1000 or 0.5";
    within(text, 1e-6..=1e9, expected)
}

fn mix(text: &str) -> Result<Mix, String> {
    Mix::of(text, &[Call::Get, Call::Set, Call::Delete])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    fn generate(options: &[&str]) -> Result<Box<GenerateArgs>, String> {
        let line = ["tiny-cache-loadtest", "trace", "generate"].iter().chain(options);
        match Cli::read(line).map_err(|error| error.to_string())?.command {
            Command::Trace { command: TraceCommand::Generate(args) } => Ok(args),
            _ => Err("another command".to_owned()),
        }
    }

    #[test]
    fn a_wrong_setting_is_refused_with_what_is_allowed() {
        for (options, expected) in [
            (["--once", "15"], "from 0% to 100%, such as 15%"),
            (["--once", "101%"], "from 0% to 100%"),
            (["--keys", "0"], "expected a number from 1 to"),
            (["--rate", "0"], "above 0"),
            (
                ["--mix", "get=1,mget=1"],
                "no operation \"mget\"; expected one of get, set, delete\n",
            ),
            (["--mix", "set=inf"], "\"inf\" is no weight; expected a number, as in set=90"),
            (["--accesses", "0"], "expected a whole number of 1 or more"),
            (["--accesses", "-1"], "expected a whole number of 1 or more"),
            (
                ["--seed", "18446744073709551616"],
                "expected a whole number from 0 to 18446744073709551615",
            ),
        ] {
            let message = generate(&options).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let hot = generate(&["--key-distribution", "hot:10%:90%", "--keys", "1"]).unwrap();
        assert!(hot.make().is_err());
        assert!(generate(&[]).unwrap().make().is_ok());
    }
}
