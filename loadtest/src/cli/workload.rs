//! The options of a made-up workload, and what they add up to.

use std::{
    fmt,
    num::{NonZeroU64, NonZeroUsize},
    str::FromStr,
    time::Duration,
};

use clap::Args;
use tiny_cache_proto::codec::MAX_BATCH_ITEMS;

use super::parse::{count, positive, positive_duration, seed};
use crate::{
    error::Refusal,
    preset::Preset,
    workload::{KeyDistribution, Mix, Sizes, Ttls, WorkloadSpec},
};

/// What is sent. Options that a preset can set have no default of clap's.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Workload")]
pub struct WorkloadArgs {
    /// Where random numbers begin
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub seed: u64,

    /// Workload to take sizes, key distribution, mix and ttls from, such as twitter/52; options
    /// given beside it come first
    #[arg(long, value_name = "NAME")]
    pub preset: Option<Preset>,

    /// Number of keys: with values of 1 KiB, the default takes some 70 MiB of a cache
    #[arg(long, value_name = "N", default_value = "50000", value_parser = positive::<NonZeroU64>)]
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

    /// Shares of get, set, delete, set-if-absent, compare-and-set, mget and mset, and of the
    /// second service's read, replace (if the version is unchanged) and incr
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

    /// Cache-aside: after a get that misses, wait this long for a database, then set the value;
    /// the report has the load of that origin. Rounded up to whole milliseconds
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub origin: Option<Duration>,

    /// Read with a lease: of those that miss a key, one goes to the origin and the others wait
    /// for its value in the server
    #[arg(long, requires = "origin")]
    pub leases: bool,
}

impl WorkloadArgs {
    /// What operations are to be like, in `spaces` keyspaces, whose keys have at most `longest`
    /// characters.
    ///
    /// # Errors
    ///
    /// Options that do not go with each other.
    pub fn spec(&self, longest: usize, spaces: usize) -> Result<WorkloadSpec, Refusal> {
        let keys = self.keys.get();
        let digits = (keys - 1).checked_ilog10().map_or(1, |log| log as usize + 1);
        let preset = self.preset.as_ref();
        let key_size = self
            .key_size
            .or(preset.map(|preset| preset.key_size))
            .map_or(16.max(digits), NonZeroUsize::get);
        if !(digits..=longest).contains(&key_size) {
            return Err(Refusal::KeySize { key_size, keys, digits, longest });
        }
        let key_distribution = self
            .key_distribution
            .or(preset.map(|preset| preset.key_distribution))
            .unwrap_or(KeyDistribution::Uniform);
        if matches!(key_distribution, KeyDistribution::Hot { .. }) && keys < 2 {
            return Err(Refusal::HotKeys);
        }
        let batch = self.batch.get();
        if batch > MAX_BATCH_ITEMS {
            return Err(Refusal::Batch(batch));
        }

        Ok(WorkloadSpec {
            keys,
            key_distribution,
            key_size,
            value_size: chosen(
                self.value_size.as_ref(),
                preset.map(|preset| &preset.value_size),
                "1KiB",
            ),
            mix: chosen(self.mix.as_ref(), preset.map(|preset| &preset.mix), "get=90,set=10"),
            batch,
            ttl: chosen(self.ttl.as_ref(), preset.map(|preset| &preset.ttl), "1h"),
            seed: self.seed,
            aside: self.origin.is_some(),
            spaces,
        })
    }
}

/// What was asked for, or what the preset says, or the default.
fn chosen<T>(asked: Option<&T>, preset: Option<&T>, default: &str) -> T
where
    T: Clone + FromStr<Err: fmt::Debug>,
{
    asked.or(preset).cloned().unwrap_or_else(|| default.parse().expect("the default is valid"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn spec(options: &[&str]) -> WorkloadSpec {
        let line = ["x", "run"].iter().chain(options);
        let Command::Run(args) = Cli::parse_from(line).command else { panic!("another command") };
        args.spec().unwrap().load.workload
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let spec = spec(&[]);
        assert_eq!((spec.keys, spec.key_size, spec.batch, spec.seed), (50_000, 16, 16, 1));
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
