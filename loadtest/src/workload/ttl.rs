//! How long the value of a write lives.

use std::{fmt, str::FromStr};

use rand_distr::{Distribution, Uniform};
use rand_pcg::Pcg64Mcg;
use tiny_cache_client::Ttl;

use super::choice::Choice;
use crate::access;

/// A distribution of ttls, over writes.
#[derive(Clone, Debug)]
pub struct Ttls {
    text: String,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Fixed(Ttl),
    /// Seconds.
    Range(Uniform<i32>),
    Weighted(Choice<Ttl>),
}

impl Ttls {
    /// Draws the ttl of a write.
    pub fn draw(&self, rng: &mut Pcg64Mcg) -> Ttl {
        match &self.shape {
            Shape::Fixed(ttl) => *ttl,
            Shape::Range(range) => access::ttl_of_seconds(range.sample(rng).into())
                .expect("the ends of the range are ttls"),
            Shape::Weighted(choice) => *choice.draw(rng),
        }
    }
}

impl FromStr for Ttls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ttl = |text: &str| access::ttl(text).map_err(|error| error.to_string());
        let shape = if let Some((least, most)) = text.split_once("..") {
            let (least, most) = (ttl(least)?, ttl(most)?);
            if least == Ttl::NEVER {
                return Err("a range of ttls begins above 0, which never expires".to_owned());
            }
            let range = Uniform::new_inclusive(least.seconds(), most.seconds());
            Shape::Range(range.map_err(|_| "expected a range from the shorter ttl to the longer")?)
        } else if text.contains('=') {
            let weighted = text.split(',').map(|part| {
                let expected = "expected TTL=WEIGHT,…, such as 1h=60,1d=40";
                let (one, weight) = part.split_once('=').ok_or(expected)?;
                Ok((ttl(one)?, weight.parse().map_err(|_| expected)?))
            });
            Shape::Weighted(Choice::new(weighted.collect::<Result<_, String>>()?)?)
        } else {
            Shape::Fixed(ttl(text)?)
        };
        Ok(Self { text: text.to_owned(), shape })
    }
}

impl fmt::Display for Ttls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::LaneId;

    fn drawn(text: &str) -> Vec<i32> {
        let ttls: Ttls = text.parse().unwrap();
        let mut rng = LaneId { index: 0, of: 1 }.rng(5);
        (0..20_000).map(|_| ttls.draw(&mut rng).seconds()).collect()
    }

    #[test]
    fn ttls_are_fixed_from_a_range_or_weighted() {
        assert!(drawn("1h").iter().all(|ttl| *ttl == 3600));
        let range = drawn("1m..2m");
        assert_eq!((range.iter().min(), range.iter().max()), (Some(&60), Some(&120)));
        let short = drawn("30s=1,1d=3").iter().filter(|ttl| **ttl == 30).count();
        assert!((short as f64 / 20_000.0 - 0.25).abs() < 0.015, "{short}");
    }

    #[test]
    fn what_is_no_ttl_is_refused() {
        for text in ["", "1.5s", "0..1h", "2h..1h", "1h=x", "1h=0"] {
            assert!(text.parse::<Ttls>().is_err(), "{text}");
        }
    }
}
