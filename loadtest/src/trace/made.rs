//! Makes a trace of distributions that are known: keys by a distribution, some of them asked
//! for once and never again, sizes that belong to the key, times of a Poisson process. Knows
//! how rows are written, and nothing of how they are replayed.

use std::{
    fmt,
    io::{self, Write},
};

use rand::RngExt;
use rand_distr::{Distribution, Exp};
use rand_pcg::Pcg64Mcg;
use tiny_cache_client::Ttl;

use crate::{
    lanes::LaneId,
    workload::{Operation, Workload, WorkloadSpec},
};

/// What the trace is to be like.
#[derive(Clone, Debug)]
pub struct Make {
    /// Rows.
    pub accesses: u64,
    /// Keys, sizes, ttls and operations: reads, sets and deletes.
    pub spec: WorkloadSpec,
    /// Share of the accesses that read a key which no other does, 0 to 1.
    pub once: f64,
    /// Accesses in a second.
    pub rate: f64,
    /// How rows are written.
    pub style: Style,
}

/// How rows are written.
// Its values are documented for the help of --format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Style {
    /// The columns of twitter/cache-trace, with times of whole seconds
    Twitter,
    /// A header and the columns time,key,size,op,ttl, with times to the microsecond
    Csv,
}

/// The only thread that draws.
const ALONE: LaneId = LaneId { index: 0, of: 1 };

/// Numbers that the workload does not use, so that its operations are the same with any share
/// of keys that are asked for once, and at any rate.
const OWN: u64 = 0x6a09_e667_f3bc_c908;

impl Make {
    /// Writes the trace.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rng = ALONE.rng(self.spec.seed ^ OWN);
        let gaps = Exp::new(self.rate).expect("a rate is above zero");
        let mut workload = Workload::new(self.spec.clone(), ALONE);
        let (mut seconds, mut fresh) = (0.0, self.spec.keys);
        if self.style == Style::Csv {
            writeln!(out, "time,key,size,op,ttl")?;
        }
        for _ in 0..self.accesses {
            let access = self.next(&mut workload, &mut fresh, &mut rng);
            match self.style {
                Style::Twitter => {
                    let Access { key, size, op, ttl } = access;
                    let (time, length) = (seconds as u64, key.len());
                    writeln!(out, "{time},{key},{length},{size},0,{op},{}", ttl.seconds())?;
                }
                Style::Csv => writeln!(out, "{seconds:.6},{access}")?,
            }
            seconds += gaps.sample(&mut rng);
        }
        Ok(())
    }

    fn next(&self, workload: &mut Workload, fresh: &mut u64, rng: &mut Pcg64Mcg) -> Access {
        if rng.random_bool(self.once) {
            *fresh += 1;
            let Operation::Set(write) = workload.fill(*fresh - 1, rng) else {
                unreachable!("a fill is a set")
            };
            return Access { key: write.key, size: write.size, op: "get", ttl: Ttl::NEVER };
        }
        match workload.next_operation() {
            Operation::Fetch(write) => {
                Access { key: write.key, size: write.size, op: "get", ttl: Ttl::NEVER }
            }
            Operation::Set(write) => {
                Access { key: write.key, size: write.size, op: "set", ttl: write.ttl }
            }
            Operation::Delete(key) => Access { key, size: 0, op: "delete", ttl: Ttl::NEVER },
            _ => unreachable!("the command line refuses other operations, and reads are aside"),
        }
    }
}

struct Access {
    key: String,
    size: u32,
    op: &'static str,
    /// Of a write; a read has none.
    ttl: Ttl,
}

impl fmt::Display for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{},{},{},{}", self.key, self.size, self.op, self.ttl.seconds())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs};

    use super::*;
    use crate::{
        access::{self, Content},
        trace::{Format, Keys, Reading, Trace},
        workload::KeyDistribution,
    };

    fn make(style: Style) -> Make {
        let spec = WorkloadSpec {
            keys: 1000,
            key_distribution: KeyDistribution::Zipf(1.0),
            key_size: 12,
            value_size: "lognormal:200:1".parse().unwrap(),
            mix: "get=8,set=1,delete=1".parse().unwrap(),
            batch: 1,
            ttl: "1h".parse().unwrap(),
            seed: 7,
            aside: true,
            spaces: 1,
        };
        Make { accesses: 20_000, spec, once: 0.2, rate: 1000.0, style }
    }

    fn written(make: &Make) -> Vec<u8> {
        let mut out = Vec::new();
        make.write(&mut out).unwrap();
        out
    }

    fn read(make: &Make) -> (Format, Vec<access::Access>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made");
        fs::write(&path, written(make)).unwrap();
        let fallback = Content { size: "1".parse().unwrap(), ttl: Ttl::NEVER };
        let reading = Reading::new(Keys::new(String::new(), 256), fallback);
        let trace = Trace::open(&[path], reading).unwrap();
        (trace.format, trace.map(Result::unwrap).collect())
    }

    #[test]
    fn the_same_seed_makes_the_same_trace() {
        assert!(written(&make(Style::Csv)) == written(&make(Style::Csv)));
        let mut other = make(Style::Csv);
        other.spec.seed = 8;
        assert!(written(&make(Style::Csv)) != written(&other));
    }

    #[test]
    fn a_made_trace_reads_back_in_either_format() {
        let (format, twitter) = read(&make(Style::Twitter));
        let (other, csv) = read(&make(Style::Csv));
        assert_eq!((format, other), (Format::Twitter, Format::Csv));
        let told = |accesses: &[access::Access]| -> Vec<_> {
            accesses.iter().map(|access| (access.key.clone(), access.action)).collect()
        };
        assert_eq!(twitter.len(), 20_000);
        // A read's ttl is the replay's to choose: none is written in both.
        assert!(told(&twitter) == told(&csv));
    }

    /// Figures of the documentation, within what chance leaves to 20,000 accesses.
    #[test]
    fn a_made_trace_has_the_distributions_that_it_says() {
        let (_, accesses) = read(&make(Style::Csv));
        let mut counts: HashMap<&str, u32> = HashMap::new();
        for access in &accesses {
            *counts.entry(&access.key).or_default() += 1;
        }
        let fresh = counts.iter().filter(|(key, _)| key.parse::<u64>().unwrap() >= 1000);
        assert!(fresh.clone().all(|(_, count)| *count == 1));
        let share = fresh.count() as f64 / 20_000.0;
        assert!((share - 0.2).abs() < 0.02, "{share}");
        // Zipf with exponent 1: the first key is asked for twice as often as the second.
        let ratio = f64::from(counts["000000000000"]) / f64::from(counts["000000000001"]);
        assert!((1.7..2.3).contains(&ratio), "{ratio}");
        let last = accesses.last().unwrap().at.unwrap().as_secs_f64();
        assert!((19.0..21.0).contains(&last), "{last}");
    }
}
