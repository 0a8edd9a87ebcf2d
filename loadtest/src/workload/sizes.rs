//! How long values are. A key's value always has the same length, so that an overwrite
//! changes nothing about the memory in use, and a compare-and-set knows what is there.

use std::{fmt, fs, str::FromStr};

use rand::SeedableRng;
use rand_distr::{Distribution, LogNormal, Uniform};
use rand_pcg::Pcg64Mcg;

use super::choice::Choice;
use crate::access::ValueSize;

/// A distribution of value sizes, over keys.
#[derive(Clone, Debug)]
pub struct Sizes {
    text: String,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Fixed(u32),
    Range(Uniform<u32>),
    LogNormal(LogNormal<f64>),
    Empirical(Choice<u32>),
}

const EXPECTED: &str = "expected a size such as 512 or 1KiB, a range such as 64..4096, \
                        lognormal:MEDIAN:SIGMA or file:PATH";

impl Sizes {
    /// The size of a key's value: drawn by numbers that depend on seed and key alone.
    pub fn of_key(&self, key: u64, seed: u64) -> u32 {
        if let Shape::Fixed(size) = self.shape {
            return size;
        }
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ key.wrapping_mul(0xd134_2543_de82_ef95));
        match &self.shape {
            Shape::Fixed(size) => *size,
            Shape::Range(range) => range.sample(&mut rng),
            Shape::LogNormal(sizes) => {
                sizes.sample(&mut rng).round().min(f64::from(ValueSize::MAX.bytes())) as u32
            }
            Shape::Empirical(choice) => *choice.draw(&mut rng),
        }
    }
}

impl Sizes {
    /// Reads lines `SIZE WEIGHT` under a name of their own.
    ///
    /// # Errors
    ///
    /// A line is none, or the weights are no weights.
    pub fn of_lines(name: &str, lines: &str) -> Result<Self, String> {
        empirical(lines).map(|shape| Self { text: name.to_owned(), shape })
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = |text: &str| -> Result<u32, String> {
            text.parse::<ValueSize>().map(ValueSize::bytes).map_err(|error| error.to_string())
        };
        let shape = if let Some(path) = text.strip_prefix("file:") {
            let lines = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
            empirical(&lines).map_err(|error| format!("{path}: {error}"))?
        } else if let Some(parameters) = text.strip_prefix("lognormal:") {
            let (median, sigma) = parameters.split_once(':').ok_or(EXPECTED)?;
            let median = f64::from(size(median)?);
            let sigma: f64 = sigma.parse().map_err(|_| EXPECTED)?;
            if median < 1.0 || !(0.0..=10.0).contains(&sigma) {
                return Err("expected a median of 1 byte or more and a sigma from 0 to 10".into());
            }
            Shape::LogNormal(LogNormal::new(median.ln(), sigma).map_err(|_| EXPECTED)?)
        } else if let Some((least, most)) = text.split_once("..") {
            let range = Uniform::new_inclusive(size(least)?, size(most)?);
            Shape::Range(range.map_err(|_| "expected a range from the smaller size to the larger")?)
        } else {
            Shape::Fixed(size(text).map_err(|error| {
                if error.contains("exceeds") { error } else { EXPECTED.to_owned() }
            })?)
        };
        Ok(Self { text: text.to_owned(), shape })
    }
}

/// Reads lines `SIZE WEIGHT`; blank lines and those that begin with `#` say nothing.
fn empirical(lines: &str) -> Result<Shape, String> {
    let mut sizes = Vec::new();
    for (index, line) in lines.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let broken = || format!("line {}: expected SIZE WEIGHT, such as 1KiB 12", index + 1);
        let (size, weight) = line.split_once(char::is_whitespace).ok_or_else(broken)?;
        let size = size.parse::<ValueSize>().map_err(|_| broken())?.bytes();
        sizes.push((size, weight.trim().parse().map_err(|_| broken())?));
    }
    Ok(Shape::Empirical(Choice::new(sizes)?))
}

impl fmt::Display for Sizes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u64 = 20_000;

    fn drawn(text: &str) -> Vec<f64> {
        let sizes: Sizes = text.parse().unwrap();
        let mut drawn: Vec<_> = (0..DRAWS).map(|key| f64::from(sizes.of_key(key, 3))).collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    #[test]
    fn a_range_is_used_evenly_and_with_both_ends() {
        let sizes = drawn("64..163");
        assert_eq!((sizes[0], sizes[DRAWS as usize - 1]), (64.0, 163.0));
        let mean = sizes.iter().sum::<f64>() / DRAWS as f64;
        assert!((mean - 113.5).abs() < 1.0, "{mean}");
    }

    #[test]
    fn log_normal_sizes_have_their_median_and_spread() {
        let sizes = drawn("lognormal:1KiB:0.5");
        let at = |quantile: f64| sizes[(quantile * DRAWS as f64) as usize];
        for (quantile, deviations) in [(0.5, 0.0), (0.841_34, 1.0), (0.158_66, -1.0)] {
            let expected = 1024.0 * (0.5_f64 * deviations).exp();
            assert!((at(quantile) / expected - 1.0).abs() < 0.03, "{quantile}: {}", at(quantile));
        }
    }

    #[test]
    fn sizes_of_a_file_are_as_frequent_as_it_says() {
        let sizes = Sizes::of_lines("", "# sizes\n100 3\n\n1KiB 1\n5 0\n").unwrap();
        let small = (0..DRAWS).filter(|key| sizes.of_key(*key, 3) == 100).count();
        assert!((small as f64 / DRAWS as f64 - 0.75).abs() < 0.015, "{small}");
        assert!((0..DRAWS).all(|key| [100, 1024].contains(&sizes.of_key(key, 3))));
        assert_eq!(
            empirical("100 3\nx 1").unwrap_err(),
            "line 2: expected SIZE WEIGHT, such as 1KiB 12"
        );
    }

    #[test]
    fn a_key_keeps_its_size() {
        let sizes: Sizes = "1..1000000".parse().unwrap();
        assert_eq!(sizes.of_key(5, 1), sizes.of_key(5, 1));
        assert_ne!(sizes.of_key(5, 1), sizes.of_key(5, 2));
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for text in ["", "big", "10..1", "lognormal:1KiB", "lognormal:0:1", "file:/nowhere", "2GiB"]
        {
            assert!(text.parse::<Sizes>().is_err(), "{text}");
        }
    }
}
