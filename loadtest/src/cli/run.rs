//! The options of a run, and what they add up to.

use std::{
    fmt,
    num::{NonZeroU64, NonZeroUsize},
    str::FromStr,
    time::Duration,
};

use clap::Args;
use tiny_cache_proto::codec::MAX_BATCH_ITEMS;

use super::{OutputArgs, ServerArgs, Target, count, positive_duration, threads};
use crate::{
    engine::{Arrivals, Course, HIGHEST_RATE, Length, Pace, Parts, Supply},
    error::Error,
    lanes::LaneId,
    preset::Preset,
    target::Way,
    workload::{KeyDistribution, Mix, Sizes, Spec, Ttls},
};

/// Requests on the wire at once in a closed loop, where nobody says how many.
pub(super) const IN_FLIGHT_CLOSED: usize = 64;

/// The same in an open loop: enough for 100,000 requests/s of 2.5 ms each.
pub(super) const IN_FLIGHT_OPEN: usize = 256;

/// Requests under way, where nobody says how many.
pub(super) const MAX_IN_FLIGHT: usize = 65_536;

/// What a sender may be late by.
pub(super) const MAX_SLIP: Duration = Duration::from_millis(1);

/// What a run can be told. Options that a preset can set have no default of clap's.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Server to drive: HOST:PORT of tiny-cache, with grpcs:// in front where it speaks TLS;
    /// redis://HOST:PORT[/DB] or memcached://HOST:PORT, to compare with; or null, which
    /// answers at once and so measures this program
    #[arg(long, value_name = "TARGET", default_value = "127.0.0.1:50051")]
    pub target: Target,

    /// Requests in a second over all threads; several, one after the other, as 1000,2000,5000;
    /// max for a closed loop
    #[arg(long, value_name = "N|max", default_value = "1000")]
    pub rate: Rate,

    /// How the instants of sending lie, with a --rate [default: constant]
    #[arg(long, value_enum)]
    pub arrivals: Option<Arrivals>,

    /// Requests on the wire at once, over all connections; with a --rate, those beyond wait in
    /// this process from their instant on [default: 256, with --rate max 64]
    #[arg(long, value_name = "N", value_parser = count)]
    pub in_flight: Option<NonZeroUsize>,

    /// With a --rate: stop and fail beyond so many requests on the wire or waiting for it
    /// [default: 65536]
    #[arg(long, value_name = "N", value_parser = count)]
    pub max_in_flight: Option<NonZeroUsize>,

    /// With a --rate: fail if 1 % of the requests are sent later than planned by more than
    /// this [default: 1ms]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub max_slip: Option<Duration>,

    /// How long to measure, at each rate [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub duration: Option<Duration>,

    /// Stop after N measured requests, at each rate
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    pub requests: Option<NonZeroU64>,

    /// How long to send requests before they are measured, at each rate
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub warm_up: Option<Duration>,

    /// Write every key once before the run
    #[arg(long)]
    pub prefill: bool,

    /// Check that every value read is one that may be there: not torn, not another key's or
    /// namespace's, not replaced or removed before, not past its ttl. Values are as long as what
    /// tells that, 60 bytes, at least
    #[arg(long)]
    pub verify: bool,

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

    /// Processes that share the work, each with its --threads: for what one cannot drive
    #[arg(long, value_name = "N", default_value = "1", value_parser = workers)]
    pub workers: NonZeroUsize,

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

    /// What to write beside the table
    #[command(flatten)]
    pub output: OutputArgs,

    /// How to reach the server
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Requests in a second over all threads, or as many as the server answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rate {
    /// Open loop: so many in a second, one rate after the other.
    PerSecond(Vec<u64>),
    /// Closed loop: the next one as soon as one is answered.
    Max,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let rates = text.split(',').map(|rate| match rate.parse() {
            Ok(rate @ 1..=HIGHEST_RATE) => Ok(rate),
            _ => Err(format!(
                "expected requests/s from 1 to {HIGHEST_RATE}, several with commas between, or max"
            )),
        });
        Ok(Self::PerSecond(rates.collect::<Result<_, _>>()?))
    }
}

impl RunArgs {
    /// The courses to play, one after the other: never none.
    ///
    /// # Errors
    ///
    /// An option is there that means nothing at this kind of rate.
    pub fn courses(&self) -> Result<Vec<Course>, Error> {
        let time = self.duration.unwrap_or(Duration::from_secs(10));
        let course = |pace| Course {
            pace,
            warm_up: self.warm_up.unwrap_or_default(),
            length: self.requests.map_or(Length::Time(time), Length::Requests),
            seed: self.seed,
        };
        match &self.rate {
            Rate::PerSecond(rates) => {
                let pace = |&rate| Pace::Open {
                    rate,
                    arrivals: self.arrivals.unwrap_or(Arrivals::Constant),
                    in_flight: self.in_flight.map_or(IN_FLIGHT_OPEN, NonZeroUsize::get),
                    max_in_flight: self.max_in_flight.map_or(MAX_IN_FLIGHT, NonZeroUsize::get),
                };
                Ok(rates.iter().map(pace).map(course).collect())
            }
            Rate::Max => {
                let idle = [
                    ("--arrivals", self.arrivals.is_some()),
                    ("--max-in-flight", self.max_in_flight.is_some()),
                    ("--max-slip", self.max_slip.is_some()),
                ];
                if let Some((option, _)) = idle.into_iter().find(|(_, is_there)| *is_there) {
                    return Err(Error::Idle { option, needs: "a rate" });
                }
                let in_flight = self.in_flight.map_or(IN_FLIGHT_CLOSED, NonZeroUsize::get);
                Ok(vec![course(Pace::Closed { in_flight })])
            }
        }
    }

    /// What a sender may be late by, at the 99th percentile.
    #[must_use]
    pub fn max_slip(&self) -> Duration {
        self.max_slip.unwrap_or(MAX_SLIP)
    }

    /// What operations are to be like.
    ///
    /// # Errors
    ///
    /// Options that do not go with each other.
    pub fn spec(&self) -> Result<Spec, Error> {
        let keys = self.keys.get();
        let longest = self.server.max_key_chars().min(self.target.max_key_bytes());
        let digits = (keys - 1).checked_ilog10().map_or(1, |log| log as usize + 1);
        let preset = self.preset.as_ref();
        let key_size = self
            .key_size
            .or(preset.map(|preset| preset.key_size))
            .map_or(16.max(digits), NonZeroUsize::get);
        if !(digits..=longest).contains(&key_size) {
            return Err(Error::KeySize { key_size, keys, digits, longest });
        }
        let key_distribution = self
            .key_distribution
            .or(preset.map(|preset| preset.key_distribution))
            .unwrap_or(KeyDistribution::Uniform);
        if matches!(key_distribution, KeyDistribution::Hot { .. }) && keys < 2 {
            return Err(Error::HotKeys);
        }
        let batch = self.batch.get();
        if batch > MAX_BATCH_ITEMS {
            return Err(Error::Batch { batch });
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
            spaces: self.server.spaces().len(),
        })
    }

    /// Connections that will be opened, over all processes: none that would never carry a
    /// request, and at least one for each process.
    #[must_use]
    pub fn connections(&self, pace: Pace) -> usize {
        self.connections.get().min(pace.in_flight()).max(self.workers.get())
    }

    /// Threads that will run in each process: none without a connection of its own.
    #[must_use]
    pub fn threads(&self, pace: Pace) -> usize {
        threads(self.threads).min(self.connections(pace) / self.workers)
    }

    /// What a crew is made of, as if there was one process alone.
    ///
    /// # Errors
    ///
    /// Options that do not go with each other, or TLS that cannot be spoken as asked for.
    pub(crate) fn parts(&self) -> Result<Parts, Error> {
        if self.verify && !matches!(self.target, Target::Server(_)) {
            return Err(Error::Idle { option: "--verify", needs: "a tiny-cache server" });
        }
        if self.verify && self.workers.get() > 1 {
            return Err(Error::Idle {
                option: "--verify",
                needs: "one process, which knows every write",
            });
        }
        let pace = self.courses()?.first().expect("there is never none").pace;
        Ok(Parts {
            threads: self.threads(pace),
            process: LaneId::ALONE,
            connections: self.connections(pace),
            way: Way::find(&self.target, &self.server)?,
            supply: Supply::Made(Box::new(self.spec()?)),
            prefill: self.prefill,
            origin: self.origin.unwrap_or_default(),
            verify: self.verify.then(|| self.server.spaces()),
        })
    }
}

/// Most worker processes: more than any machine has cores for.
const MOST_WORKERS: usize = 1024;

fn workers(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= MOST_WORKERS => Ok(count),
        _ => Err(format!("expected a number from 1 to {MOST_WORKERS}")),
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
    fn a_rate_is_a_number_or_several_or_max() {
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert_eq!("5000".parse(), Ok(Rate::PerSecond(vec![5000])));
        assert_eq!("1,20,3".parse(), Ok(Rate::PerSecond(vec![1, 20, 3])));
        for text in ["", "0", "-1", "fast", "1.5", "1000000001", "1,", "1,max"] {
            assert!(text.parse::<Rate>().unwrap_err().contains("or max"), "{text}");
        }
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
