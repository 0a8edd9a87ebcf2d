//! The options of a run, and what they add up to.

use std::{num::NonZeroU64, str::FromStr, time::Duration};

use clap::Args;

use super::{
    load::LoadArgs,
    parse::{positive, positive_duration},
};
use crate::{
    engine::{Course, HIGHEST_RATE, InvalidRate, Length, Rate},
    error::Refusal,
    spec::Run,
};

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    every request was answered
  1    some requests failed, a value was wrong (--verify), the slip was above --max-slip,
       or more than --max-in-flight requests were under way; the report and an error line
       say which
  2    wrong usage, an unreachable server, a prefill that failed,
       or not one request was answered
  130  interrupted by Ctrl-C, another signal or a lost terminal; the report covers what ran";

pub(super) const MORE: &str = "\
Every value of a key has the same size and, without --verify, the same bytes, so that a
compare-and-set finds what it expects wherever the key is there. Sizes are thus distributed
over keys.

The same --seed and number of --threads give the same operations in every run.

Other systems, driven by the same operations at the same instants:
  redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS
      What speaks RESP. In USER and PASSWORD, / @ : and % are written as %2F %40 %3A and %25.
      An mset is a pipeline of SETs, as MSET takes no ttl; a compare-and-set is a script, as
      only new servers have SET with IFEQ, and so is a replace. An incr is an INCR, which
      sets no ttl.
  memcached://HOST[:PORT]
      Its text protocol. A compare-and-set, and a replace, is a gets and a cas, thus two
      round trips; an mset is one write of many sets; an incr of what is not there is an add.
      A key has at most 250 bytes.
Both answer the requests of a connection in their order, so that a slow one delays those
behind it: --connections matters more than with gRPC. --namespace is for tiny-cache alone.
What was written stays there until its ttl is over.

Examples:
  tiny-cache-loadtest run --rate 20000 --arrivals poisson --duration 1m --prefill
  tiny-cache-loadtest run --preset twitter/52 --keys 1000000 --rate 20000 --warm-up 10s
  tiny-cache-loadtest run --target redis://127.0.0.1:6379 --preset twitter/52 --rate 20000
  tiny-cache-loadtest run --rate max --in-flight 256 --key-distribution zipf:0.99 \\
      --mix get=80,set=15,mget=5 --value-size lognormal:300:1.2 --json closed.json
";

/// The options of a run.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Requests in a second over all threads, such as 2000 or 0.5; several, one after the other,
    /// as 1000,2000,5000; max for a closed loop
    #[arg(long, value_name = "N|max", default_value = "1000")]
    pub rate: Rates,

    /// How long to measure, at each rate [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub duration: Option<Duration>,

    /// Stop after N measured requests, at each rate
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = positive::<NonZeroU64>)]
    pub requests: Option<NonZeroU64>,

    /// What is sent, and how
    #[command(flatten)]
    pub load: LoadArgs,
}

/// Requests in a second over all threads, or as many as the server answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rates {
    /// Open loop: at these rates, one after the other.
    PerSecond(Vec<Rate>),
    /// Closed loop: the next one as soon as one is answered.
    Max,
}

impl FromStr for Rates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let rates = text.split(',').map(|rate| {
            rate.parse().map_err(|InvalidRate| {
                format!(
                    "expected requests/s above 0 and up to {HIGHEST_RATE}, such as 2000 or 0.5, \
                     several with commas between, or max"
                )
            })
        });
        Ok(Self::PerSecond(rates.collect::<Result<_, _>>()?))
    }
}

impl RunArgs {
    /// What is to be done.
    ///
    /// # Errors
    ///
    /// Options do not go together.
    pub fn spec(&self) -> Result<Run, Refusal> {
        let course = |pace| Course {
            pace,
            warm_up: self.load.warm_up.unwrap_or_default(),
            length: match self.requests {
                Some(requests) => Length::Requests(requests),
                None => Length::Time(self.duration.unwrap_or(Duration::from_secs(10))),
            },
            seed: self.load.workload.seed,
        };
        let courses: Vec<_> = match &self.rate {
            Rates::PerSecond(rates) => {
                rates.iter().map(|&rate| course(self.load.open(rate))).collect()
            }
            Rates::Max => {
                let open = "an open loop: a --rate that is a number, not max";
                Refusal::idle([("--arrivals", self.load.arrivals.is_some())], open)?;
                vec![course(self.load.drive.closed(open)?)]
            }
        };
        let first = courses.first().expect("a rate was given, or is the default");
        Ok(Run { load: self.load.load(first.pace)?, courses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_several_or_max() {
        let rates = |rates: &[&str]| {
            Ok(Rates::PerSecond(rates.iter().map(|rate| rate.parse().unwrap()).collect()))
        };
        assert_eq!("max".parse(), Ok(Rates::Max));
        assert_eq!("5000".parse(), rates(&["5000"]));
        assert_eq!("1,0.25,3".parse(), rates(&["1", "0.25", "3"]));
        for text in ["", "0", "-1", "fast", "1.5.2", "1000000001", "1,", "1,max"] {
            assert!(text.parse::<Rates>().unwrap_err().contains("or max"), "{text}");
        }
    }
}
