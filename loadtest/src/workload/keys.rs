//! Chooses the key of an operation, and what a key looks like.

use std::{
    fmt::{self, Write},
    str::FromStr,
};

use rand::RngExt;
use rand_distr::{Distribution, Uniform, Zipf, weighted::WeightedAliasIndex};
use rand_pcg::Pcg64Mcg;
use tiny_cache_proto::key::MAX_KEY_CHARS;

use crate::lanes::LaneId;

/// How often which key is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyDistribution {
    /// Every key as often as any other.
    Uniform,
    /// The key of rank r in proportion to r to the power of minus this exponent.
    Zipf(f64),
    /// Some keys get most of the operations.
    Hot {
        /// Share of the keys that are hot, above 0 and below 1.
        keys: f64,
        /// Share of the operations that go to them, 0 to 1.
        operations: f64,
    },
    /// One key after the other, from the first again after the last.
    Sequential,
    /// Groups of equally popular keys, as a preset has them.
    Groups(&'static Groups),
}

/// Groups of keys.
#[derive(Debug, PartialEq)]
pub struct Groups {
    /// The preset that they are from.
    pub name: &'static str,
    /// Where each group begins, counted in keys from 0, and where the last one ends.
    pub edges: Vec<f64>,
    /// How many of the operations go to which group.
    pub weights: Vec<f64>,
}

const EXPECTED: &str = "expected uniform, zipf:EXPONENT (0 to 20), hot:KEYS%:OPERATIONS% \
                        (such as hot:10%:90%) or sequential";

impl FromStr for KeyDistribution {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = |text: &str| -> Option<f64> {
            let share: f64 = text.strip_suffix('%')?.parse().ok()?;
            (0.0..=100.0).contains(&share).then_some(share / 100.0)
        };
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["uniform"] => Some(Self::Uniform),
            ["sequential"] => Some(Self::Sequential),
            ["zipf", exponent] => {
                exponent.parse().ok().filter(|s| (0.0..=20.0).contains(s)).map(Self::Zipf)
            }
            ["hot", keys, operations] => match (percent(keys), percent(operations)) {
                (Some(keys), Some(operations)) if keys > 0.0 && keys < 1.0 => {
                    Some(Self::Hot { keys, operations })
                }
                _ => None,
            },
            _ => None,
        }
        .ok_or(EXPECTED)
    }
}

impl fmt::Display for KeyDistribution {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => out.write_str("uniform"),
            Self::Zipf(exponent) => write!(out, "zipf:{exponent}"),
            Self::Hot { keys, operations } => {
                write!(out, "hot:{}%:{}%", keys * 100.0, operations * 100.0)
            }
            Self::Sequential => out.write_str("sequential"),
            Self::Groups(groups) => out.write_str(groups.name),
        }
    }
}

/// Draws the numbers of keys, 0 to one less than there are, each in constant time.
#[derive(Debug)]
pub(super) enum Keys {
    /// One range for all.
    Uniform(Uniform<u64>),
    /// Rejection-inversion. Rank 1 is key 0.
    Zipf(Zipf<f64>),
    /// Two ranges.
    Hot {
        /// The first keys.
        hot: Uniform<u64>,
        /// All others.
        cold: Uniform<u64>,
        /// Share of the operations for the first ones.
        operations: f64,
    },
    /// A group, then a key in it, on a scale of as many keys as there are.
    Groups {
        /// Which group.
        choice: WeightedAliasIndex<f64>,
        /// Where they begin and end.
        edges: &'static [f64],
        /// Keys of the run for each key of the groups.
        scale: f64,
        /// How many keys there are.
        keys: u64,
    },
    /// Thread i of n has every nth key, from the ith on.
    Sequential {
        /// The next key.
        next: u64,
        /// How many threads there are.
        step: u64,
        /// How many keys there are.
        keys: u64,
    },
}

impl Keys {
    /// Makes ready to draw from `keys` keys, which are 2 or more where some are hot.
    pub(super) fn new(distribution: KeyDistribution, keys: u64, lane: LaneId) -> Self {
        let range = |from, to| Uniform::new(from, to).expect("there are keys in the range");
        match distribution {
            KeyDistribution::Uniform => Self::Uniform(range(0, keys)),
            KeyDistribution::Zipf(exponent) => Self::Zipf(
                Zipf::new(keys as f64, exponent).expect("there are keys, and an exponent is valid"),
            ),
            KeyDistribution::Hot { keys: share, operations } => {
                let first = ((keys as f64 * share).round() as u64).clamp(1, keys - 1);
                Self::Hot { hot: range(0, first), cold: range(first, keys), operations }
            }
            KeyDistribution::Groups(Groups { edges, weights, .. }) => Self::Groups {
                choice: WeightedAliasIndex::new(weights.clone())
                    .expect("the tests read the weights of every preset"),
                edges,
                scale: keys as f64 / edges.last().expect("there is a group"),
                keys,
            },
            KeyDistribution::Sequential => {
                Self::Sequential { next: lane.index as u64 % keys, step: lane.of as u64, keys }
            }
        }
    }

    /// Draws the number of a key.
    pub(super) fn draw(&mut self, rng: &mut Pcg64Mcg) -> u64 {
        match self {
            Self::Uniform(range) => range.sample(rng),
            Self::Zipf(zipf) => zipf.sample(rng) as u64 - 1,
            Self::Hot { hot, cold, operations } => {
                if rng.random_bool(*operations) {
                    hot.sample(rng)
                } else {
                    cold.sample(rng)
                }
            }
            Self::Groups { choice, edges, scale, keys } => {
                let group = choice.sample(rng);
                let (from, to) = (edges[group], edges[group + 1]);
                let key = (from + rng.random::<f64>() * (to - from)) * *scale;
                (key as u64).min(*keys - 1)
            }
            Self::Sequential { next, step, keys } => {
                let key = *next;
                *next = (key + *step) % *keys;
                key
            }
        }
    }
}

/// As many zeros as a key can have. With a fill, `format!` writes them one by one.
const ZEROS: &str = match str::from_utf8(&[b'0'; MAX_KEY_CHARS]) {
    Ok(zeros) => zeros,
    Err(_) => unreachable!(),
};

/// The text of a key: its number with zeros in front.
pub(super) fn text(number: u64, size: usize) -> String {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let zeros = size.saturating_sub(digits).min(MAX_KEY_CHARS);
    let mut text = String::with_capacity(size);
    text.push_str(&ZEROS[..zeros]);
    write!(text, "{number}").expect("a String takes all that is written to it");
    text
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    #[test]
    fn a_key_is_its_number_with_zeros_in_front() {
        for (number, size, key) in [
            (0, 1, "0"),
            (0, 4, "0000"),
            (9, 4, "0009"),
            (10, 4, "0010"),
            (9999, 4, "9999"),
            (u64::MAX, 22, "0018446744073709551615"),
        ] {
            assert_eq!(text(number, size), key);
        }
        assert_eq!(text(7, MAX_KEY_CHARS), format!("{:0>256}", 7));
    }

    const ALONE: LaneId = LaneId { index: 0, of: 1 };

    fn counts(distribution: &str, keys: u64, draws: usize) -> Vec<f64> {
        let mut drawn = Keys::new(distribution.parse().unwrap(), keys, ALONE);
        let mut rng = ALONE.rng(11);
        let mut counts = vec![0.0; keys as usize];
        for _ in 0..draws {
            counts[drawn.draw(&mut rng) as usize] += 1.0;
        }
        counts
    }

    /// The chi-square statistic, as standard deviations from its mean.
    fn deviation(counts: &[f64], weights: &[f64]) -> f64 {
        let (draws, whole) = (counts.iter().sum::<f64>(), weights.iter().sum::<f64>());
        let chi_square: f64 = counts
            .iter()
            .zip(weights)
            .map(|(count, weight)| (draws * weight / whole, count))
            .map(|(expected, count)| (count - expected).powi(2) / expected)
            .sum();
        let freedom = counts.len() as f64 - 1.0;
        (chi_square - freedom) / (2.0 * freedom).sqrt()
    }

    #[test]
    fn zipf_frequencies_are_those_of_theory() {
        for exponent in [0.0_f64, 0.5, 0.99, 1.0, 1.2] {
            let weights: Vec<f64> = (1..=100).map(|rank| f64::from(rank).powf(-exponent)).collect();
            let counts = counts(&format!("zipf:{exponent}"), 100, 200_000);
            let deviation = deviation(&counts, &weights);
            assert!(deviation.abs() < 3.5, "zipf:{exponent}: {deviation} standard deviations");
        }
    }

    #[test]
    fn uniform_keys_are_as_frequent_as_each_other_and_hot_ones_are_not() {
        let uniform = deviation(&counts("uniform", 100, 100_000), &[1.0; 100]);
        assert!(uniform.abs() < 3.5, "{uniform}");
        let mut weights = vec![9.0; 10];
        weights.extend([1.0 / 9.0; 90]);
        let hot = deviation(&counts("hot:10%:90%", 100, 100_000), &weights);
        assert!(hot.abs() < 3.5, "{hot}");
    }

    #[test]
    fn groups_of_keys_have_their_shares_at_any_number_of_keys() {
        static GROUPS: LazyLock<Groups> = LazyLock::new(|| Groups {
            name: "test",
            edges: vec![0.0, 1.0, 10.0],
            weights: vec![3.0, 1.0],
        });
        for keys in [10, 100] {
            let mut drawn = Keys::new(KeyDistribution::Groups(&GROUPS), keys, ALONE);
            let mut rng = ALONE.rng(4);
            let mut counts = vec![0.0; keys as usize];
            for _ in 0..50_000 {
                counts[drawn.draw(&mut rng) as usize] += 1.0;
            }
            let first = keys as usize / 10;
            let weights: Vec<f64> = (0..keys as usize)
                .map(|key| {
                    if key < first {
                        3.0 / first as f64
                    } else {
                        1.0 / (keys as usize - first) as f64
                    }
                })
                .collect();
            let deviation = deviation(&counts, &weights);
            assert!(deviation.abs() < 3.5, "{keys} keys: {deviation}");
        }
    }

    #[test]
    fn sequential_keys_of_all_threads_are_each_asked_once_a_round() {
        let mut seen: Vec<u64> = (0..2)
            .flat_map(|index| {
                let lane = LaneId { index, of: 2 };
                let mut keys = Keys::new(KeyDistribution::Sequential, 10, lane);
                let mut rng = lane.rng(1);
                (0..5).map(move |_| keys.draw(&mut rng)).collect::<Vec<_>>()
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_distribution_is_read_and_written_alike_or_refused() {
        for text in ["uniform", "zipf:0.99", "hot:10%:90%", "sequential"] {
            assert_eq!(text.parse::<KeyDistribution>().unwrap().to_string(), text);
        }
        for text in ["", "zipf", "zipf:-1", "zipf:NaN", "hot:0%:90%", "hot:10:90", "hot:10%:101%"] {
            assert!(text.parse::<KeyDistribution>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_has_its_size() {
        assert_eq!(text(42, 8), "00000042");
    }
}
