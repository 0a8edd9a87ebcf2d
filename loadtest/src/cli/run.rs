//! The options of a run, and what they add up to.

use std::{
    fmt,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use clap::Args;
use tiny_cache_proto::{codec::MAX_BATCH_ITEMS, key::MAX_KEY_CHARS};

use super::{ServerArgs, Target, count, positive_duration, threads};
use crate::{
    run::{Arrivals, KeyDistribution, Mix, Preset, Rate, RunError, Sizes, Spec, Ttls},
    transport::Namespace,
};

/// What a run can be told. Options that a preset can set have no default of clap's.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Server to drive: HOST:PORT of tiny-cache, with grpcs:// in front where it speaks TLS;
    /// redis://HOST:PORT[/DB] or memcached://HOST:PORT, to compare with; or null, which
    /// answers at once and so measures this program
    #[arg(long, value_name = "TARGET", default_value = "127.0.0.1:50051")]
    pub target: Target,

    /// Requests in a second over all threads; max for a closed loop
    #[arg(long, value_name = "N|max", default_value = "1000")]
    pub rate: Rate,

    /// How the instants of sending lie, with a --rate [default: constant]
    #[arg(long, value_enum)]
    pub arrivals: Option<Arrivals>,

    /// Requests under way at once, over all connections, with --rate max [default: 64]
    #[arg(long, value_name = "N", value_parser = count)]
    pub in_flight: Option<NonZeroUsize>,

    /// With a --rate: stop and fail beyond so many requests under way [default: 65536]
    #[arg(long, value_name = "N", value_parser = count)]
    pub max_in_flight: Option<NonZeroUsize>,

    /// With a --rate: fail if 1 % of the requests are sent later than planned by more than
    /// this [default: 1ms]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub max_slip: Option<Duration>,

    /// How long to measure [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub duration: Option<Duration>,

    /// Stop after N measured requests
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    pub requests: Option<NonZeroU64>,

    /// How long to send requests before they are measured
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub warm_up: Option<Duration>,

    /// Write every key once before the run
    #[arg(long)]
    pub prefill: bool,

    /// Where random numbers begin
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,

    /// Connections to open
    #[arg(long, value_name = "N", default_value = "4", value_parser = count)]
    pub connections: NonZeroUsize,

    /// Threads that drive the connections, at most one for each connection
    /// [default: the number of cores, at most 4]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,

    /// Workload to take sizes, key distribution, mix and ttls from, such as twitter/52; options
    /// given beside it come first [default: none]
    #[arg(long, value_name = "NAME")]
    pub preset: Option<Preset>,

    /// Number of keys
    #[arg(long, value_name = "N", default_value = "100000")]
    pub keys: NonZeroU64,

    /// uniform, zipf:EXPONENT, hot:KEYS%:OPERATIONS% or sequential [default: uniform]
    #[arg(long, value_name = "DISTRIBUTION")]
    pub key_distribution: Option<KeyDistribution>,

    /// Characters of a key [default: 16]
    #[arg(long, value_name = "N", value_parser = count)]
    pub key_size: Option<NonZeroUsize>,

    /// Bytes of a value: 1KiB, 64..4096, lognormal:MEDIAN:SIGMA, or file:PATH with lines
    /// SIZE WEIGHT [default: 1KiB]
    #[arg(long, value_name = "DISTRIBUTION")]
    pub value_size: Option<Sizes>,

    /// Shares of get, set, delete, set-if-absent, compare-and-set, mget and mset
    /// [default: get=90,set=10]
    #[arg(long, value_name = "OPERATION=WEIGHT,…")]
    pub mix: Option<Mix>,

    /// Keys in an mget or mset
    #[arg(long, value_name = "N", default_value = "16", value_parser = count)]
    pub batch: NonZeroUsize,

    /// Time to live of a value: 1h, 1m..2h, or 1h=60,1d=40 by weight; 0 never expires
    /// [default: 1h]
    #[arg(long, value_name = "DISTRIBUTION")]
    pub ttl: Option<Ttls>,

    /// Cache-aside: after a get that misses, wait so long as for a database, then set the
    /// value; the report has the load of that origin. Milliseconds are the finest unit
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub origin: Option<Duration>,

    /// Write the report to a file as JSON as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// How to reach the server
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// At instants planned ahead.
    Open {
        /// Requests in a second.
        rate: u64,
        /// How the instants lie.
        arrivals: Arrivals,
        /// Most requests under way.
        max_in_flight: usize,
        /// Highest p99 of the slip.
        max_slip: Duration,
    },
    /// Each after another one's reply.
    Closed {
        /// Requests under way.
        in_flight: usize,
    },
}

/// When a run is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// After a time.
    Time(Duration),
    /// After a number of requests.
    Requests(NonZeroU64),
}

impl RunArgs {
    /// How requests follow each other.
    ///
    /// # Errors
    ///
    /// An option is there that means nothing at this kind of rate.
    pub fn pace(&self) -> Result<Pace, RunError> {
        let refuse = |option, rate| Err(RunError::Idle { option, rate });
        match self.rate {
            Rate::PerSecond(_) if self.in_flight.is_some() => {
                refuse("--in-flight", "--rate max; see --max-in-flight")
            }
            Rate::Max if self.arrivals.is_some() => refuse("--arrivals", "a rate"),
            Rate::Max if self.max_in_flight.is_some() => refuse("--max-in-flight", "a rate"),
            Rate::Max if self.max_slip.is_some() => refuse("--max-slip", "a rate"),
            Rate::PerSecond(rate) => Ok(Pace::Open {
                rate,
                arrivals: self.arrivals.unwrap_or(Arrivals::Constant),
                max_in_flight: self.max_in_flight.map_or(65_536, NonZeroUsize::get),
                max_slip: self.max_slip.unwrap_or(Duration::from_millis(1)),
            }),
            Rate::Max => {
                Ok(Pace::Closed { in_flight: self.in_flight.map_or(64, NonZeroUsize::get) })
            }
        }
    }

    /// When the run is over.
    #[must_use]
    pub fn length(&self) -> Length {
        let time = self.duration.unwrap_or(Duration::from_secs(10));
        self.requests.map_or(Length::Time(time), Length::Requests)
    }

    /// What operations are to be like.
    ///
    /// # Errors
    ///
    /// Options that do not go with each other.
    pub fn spec(&self) -> Result<Spec, RunError> {
        let keys = self.keys.get();
        let longest = self
            .server
            .namespace
            .as_ref()
            .map_or(MAX_KEY_CHARS, Namespace::max_key_chars)
            .min(self.target.max_key_bytes());
        let digits = (keys - 1).checked_ilog10().map_or(1, |log| log as usize + 1);
        let preset = self.preset.as_ref();
        let key_size = self
            .key_size
            .or(preset.map(|preset| preset.key_size))
            .map_or(16.max(digits), NonZeroUsize::get);
        if !(digits..=longest).contains(&key_size) {
            return Err(RunError::KeySize { key_size, keys, digits, longest });
        }
        let key_distribution = self
            .key_distribution
            .or(preset.map(|preset| preset.key_distribution))
            .unwrap_or(KeyDistribution::Uniform);
        if matches!(key_distribution, KeyDistribution::Hot { .. }) && keys < 2 {
            return Err(RunError::HotKeys);
        }
        let batch = self.batch.get();
        if batch > MAX_BATCH_ITEMS {
            return Err(RunError::Batch { batch });
        }

        Ok(Spec {
            keys,
            key_distribution,
            key_size,
            value_size: chosen(&self.value_size, preset.map(|preset| &preset.value_size), "1KiB"),
            mix: chosen(&self.mix, preset.map(|preset| &preset.mix), "get=90,set=10"),
            batch,
            ttl: chosen(&self.ttl, preset.map(|preset| &preset.ttl), "1h"),
            seed: self.seed,
            aside: self.origin.is_some(),
        })
    }

    /// Connections that will be opened: with a closed loop, none that would never carry a
    /// request.
    #[must_use]
    pub fn connections(&self, pace: Pace) -> usize {
        match pace {
            Pace::Open { max_in_flight: most, .. } | Pace::Closed { in_flight: most } => {
                self.connections.get().min(most)
            }
        }
    }

    /// Threads that will run: none without a connection of its own.
    #[must_use]
    pub fn threads(&self, pace: Pace) -> usize {
        threads(self.threads).min(self.connections(pace))
    }
}

/// What was asked for, or what the preset says, or the default.
fn chosen<T>(asked: &Option<T>, preset: Option<&T>, default: &str) -> T
where
    T: Clone + FromStr<Err: fmt::Debug>,
{
    asked
        .as_ref()
        .or(preset)
        .cloned()
        .unwrap_or_else(|| default.parse().expect("the default is valid"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn spec(options: &[&str]) -> Spec {
        let line = ["x", "run"].iter().chain(options);
        let Command::Run(args) = Cli::parse_from(line).command else { panic!("another command") };
        args.spec().unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let spec = spec(&[]);
        assert_eq!((spec.keys, spec.key_size, spec.batch, spec.seed), (100_000, 16, 16, 1));
        assert_eq!(spec.key_distribution, KeyDistribution::Uniform);
        assert_eq!(spec.value_size.to_string(), "1KiB");
        assert_eq!(
            (spec.mix.to_string().as_str(), spec.ttl.to_string().as_str()),
            ("get=90,set=10", "1h")
        );
    }

    #[test]
    fn options_beside_a_preset_come_first() {
        let plain = spec(&["--preset", "twitter/12"]);
        assert_eq!((plain.key_size, plain.value_size.to_string().as_str()), (44, "1030"));
        assert_eq!(plain.key_distribution, KeyDistribution::Zipf(0.3048));
        let own = spec(&[
            "--preset",
            "twitter/12",
            "--value-size",
            "64",
            "--ttl",
            "0",
            "--key-size",
            "9",
        ]);
        assert_eq!((own.key_size, own.value_size.to_string().as_str()), (9, "64"));
        assert_eq!(
            (own.ttl.to_string().as_str(), own.mix.to_string().as_str()),
            ("0", "get=20,set=80")
        );
    }
}
