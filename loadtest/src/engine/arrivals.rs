//! Plans when requests are sent, before anything is sent and whatever the server does.
//! Knows rates and clocks only.

use std::time::Duration;

use clap::ValueEnum;
use rand_distr::{Distribution, Exp};
use rand_pcg::Pcg64Mcg;

use super::rate::Rate;
use crate::lanes::LaneId;

/// How the instants lie.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ArrivalKind {
    /// The same time between any two
    Constant,
    /// Independent of each other, as those of many users: exponential gaps
    Poisson,
}

impl ArrivalKind {
    /// The name to report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

/// The instants of one thread, as time since the start: without an end, and in order.
#[derive(Debug)]
pub struct Arrivals(Instants);

#[derive(Debug)]
enum Instants {
    /// Multiples of the period. Thread i of n has every nth, from the ith on: together they are
    /// as even as one thread's would be. Counted, not added up, so that nothing drifts.
    Constant { next: u64, step: u64, rate: Rate },
    /// A Poisson process of a share of the rate. Those of all threads add up to one of the
    /// whole rate.
    Poisson { at: f64, gaps: Exp<f64>, rng: Pcg64Mcg },
}

impl Arrivals {
    /// Plans the share of a thread in `rate` requests in a second.
    pub fn new(arrivals: ArrivalKind, rate: Rate, lane: LaneId, seed: u64) -> Self {
        Self(match arrivals {
            ArrivalKind::Constant => {
                Instants::Constant { next: lane.index as u64, step: lane.of as u64, rate }
            }
            ArrivalKind::Poisson => Instants::Poisson {
                at: 0.0,
                gaps: Exp::new(rate.per_second() / lane.of as f64).expect("a rate is above zero"),
                // Not the stream of the operations: those are the same at every rate.
                rng: lane.rng(!seed),
            },
        })
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(match &mut self.0 {
            Instants::Constant { next, step, rate } => {
                let instant = rate.instant(*next);
                *next += *step;
                instant
            }
            Instants::Poisson { at, gaps, rng } => {
                *at += gaps.sample(rng);
                Duration::from_secs_f64(*at)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: LaneId = LaneId { index: 0, of: 1 };

    #[test]
    fn constant_arrivals_are_evenly_spaced_and_do_not_drift() {
        let plan = Arrivals::new(ArrivalKind::Constant, 8000.into(), ALONE, 1);
        for (index, at) in plan.take(100_000).enumerate() {
            assert_eq!(at, Duration::from_micros(125) * index as u32);
        }
        let third =
            Arrivals::new(ArrivalKind::Constant, 3.into(), ALONE, 1).nth(3_000_001).unwrap();
        assert_eq!(third, Duration::new(1_000_000, 333_333_333));
    }

    #[test]
    fn the_constant_arrivals_of_all_threads_are_those_of_one() {
        let lanes = (0..3).map(|index| LaneId { index, of: 3 });
        let mut merged: Vec<_> = lanes
            .flat_map(|lane| Arrivals::new(ArrivalKind::Constant, 1000.into(), lane, 1).take(100))
            .collect();
        merged.sort();
        assert!(
            merged
                .into_iter()
                .eq(Arrivals::new(ArrivalKind::Constant, 1000.into(), ALONE, 1).take(300))
        );
    }

    /// Of two threads together, so that the sum is looked at as well.
    fn poisson(rate: u64, count: usize) -> Vec<f64> {
        let lanes = (0..2).map(|index| LaneId { index, of: 2 });
        let mut at: Vec<f64> = lanes
            .flat_map(|lane| Arrivals::new(ArrivalKind::Poisson, rate.into(), lane, 7).take(count))
            .map(|at| at.as_secs_f64())
            .collect();
        at.sort_by(f64::total_cmp);
        // Where one thread's sample ends, the other's goes on alone.
        at.truncate(count);
        at
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let at = poisson(1000, 100_000);
        let mut gaps: Vec<f64> = at.windows(2).map(|pair| (pair[1] - pair[0]) * 1000.0).collect();
        let count = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / count;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
        assert!((mean - 1.0).abs() < 0.015, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
        // Kolmogorov-Smirnov: 1.95 / sqrt(n) is passed by chance once in a thousand seeds.
        gaps.sort_by(f64::total_cmp);
        let distance = gaps
            .iter()
            .enumerate()
            .map(|(index, gap)| (1.0 - (-gap).exp() - index as f64 / count).abs())
            .fold(0.0, f64::max);
        assert!(distance < 1.95 / count.sqrt(), "distance {distance}");
    }

    #[test]
    fn poisson_counts_vary_as_much_as_they_are() {
        let mut counts = vec![0_u32; 1000];
        for at in poisson(50_000, 100_000) {
            if let Some(count) = counts.get_mut((at * 500.0) as usize) {
                *count += 1;
            }
        }
        let whole = counts.len() as f64;
        let mean = f64::from(counts.iter().sum::<u32>()) / whole;
        let variance =
            counts.iter().map(|count| (f64::from(*count) - mean).powi(2)).sum::<f64>() / whole;
        assert!((mean - 100.0).abs() < 1.5, "mean {mean}");
        assert!((variance / mean - 1.0).abs() < 0.2, "variance {variance}");
    }
}
