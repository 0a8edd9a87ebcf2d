//! The options of a search, and what they add up to.

use std::{ops::Bound, time::Duration};

use clap::Args;

use super::{
    load::LoadArgs,
    parse::{pause, positive_duration, within},
};
use crate::{
    engine::{Course, HIGHEST_RATE, Length},
    error::Refusal,
    slo::{Slo, percent},
    spec::{Rules, Search},
};

/// Most steps that confirm what was found.
const MOST_CONFIRMATIONS: i64 = 1000;

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    found: the promise held, and did not above, or --to was reached
  1    it held at no rate, or the generator and not the server was the limit, so that
       what was found is a lower bound; the report and an error line say which
  2    wrong usage, an unreachable server, or a prefill that failed
  130  interrupted by Ctrl-C, another signal or a lost terminal; the report covers what ran";

pub(super) const MORE: &str = "\
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

/// The options of a search.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// What is promised, of response times and of errors: terms pNN<TIME, mean<TIME, max<TIME
    /// and errors<PERCENT%, all of which are to hold
    #[arg(long, value_name = "TERM,…", default_value = "p99.9<1ms,errors<0.01%")]
    pub slo: Slo,

    /// Rate to begin with, in requests/s
    #[arg(long, value_name = "N", default_value = "1000", value_parser = rate)]
    pub from: u64,

    /// Highest rate to try [default: 1000000000]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub to: Option<u64>,

    /// Factor from one rate to the next until one does not hold
    #[arg(long, value_name = "FACTOR", default_value = "2", value_parser = growth)]
    pub growth: f64,

    /// Stop when the lowest rate that failed is above the highest that held by no more than this
    #[arg(long, value_name = "PERCENT%", default_value = "2%", value_parser = precision)]
    pub precision: f64,

    /// How long to measure at each rate
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    pub step_duration: Duration,

    /// How long to pause between two steps, once every request of the first is done
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = pause)]
    pub drain: Duration,

    /// How often the rate that was found is run again, and has to hold each time
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u32).range(0..=MOST_CONFIRMATIONS))]
    pub confirm: u32,

    /// What is sent, and how
    #[command(flatten)]
    pub load: LoadArgs,
}

impl SearchArgs {
    /// What is to be done.
    ///
    /// # Errors
    ///
    /// Options do not go together.
    pub fn spec(&self) -> Result<Search, Refusal> {
        let Self { from, growth, precision, confirm, .. } = *self;
        let to = self.to.unwrap_or(HIGHEST_RATE);
        if from > to {
            return Err(Refusal::Range { from, to });
        }
        let pace = self.load.open(from.into());
        Ok(Search {
            load: self.load.load(pace)?,
            slo: self.slo.clone(),
            rules: Rules { from, to, growth, precision, confirm },
            first: Course {
                pace,
                warm_up: self.load.warm_up.unwrap_or_default(),
                length: Length::Time(self.step_duration),
                seed: self.load.workload.seed,
            },
            drain: self.drain,
        })
    }
}

fn rate(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(rate @ 1..=HIGHEST_RATE) => Ok(rate),
        _ => Err(format!("expected whole requests/s from 1 to {HIGHEST_RATE}")),
    }
}

fn growth(text: &str) -> Result<f64, &'static str> {
    let above_one = (Bound::Excluded(1.0), Bound::Included(1000.0));
    within(text, above_one, "expected a factor above 1 and up to 1000, such as 2 or 1.5")
}

fn precision(text: &str) -> Result<f64, &'static str> {
    let ratio = percent(text).map(|percent| percent / 100.0);
    ratio.ok_or("expected a percentage above 0% and up to 100%, such as 2% or 0.5%")
}
