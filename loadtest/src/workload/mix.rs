//! Which operation comes next.

use std::{fmt, str::FromStr};

use rand_pcg::Pcg64Mcg;

use super::{choice::Choice, operation::Call};

/// Shares of operations.
#[derive(Clone, Debug)]
pub struct Mix {
    text: String,
    choice: Choice<Call>,
}

impl Mix {
    /// Whether it has an operation.
    pub(crate) fn has(&self, call: Call) -> bool {
        self.choice.things.contains(&call)
    }

    /// Draws an operation, in constant time.
    pub fn draw(&self, rng: &mut Pcg64Mcg) -> Call {
        match self.choice.things.as_slice() {
            [only] => *only,
            _ => *self.choice.draw(rng),
        }
    }
}

impl Mix {
    /// Reads a mix of the operations that are allowed.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn of(text: &str, allowed: &[Call]) -> Result<Self, String> {
        let mut calls: Vec<(Call, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) =
                part.split_once('=').ok_or("expected OPERATION=WEIGHT,…, such as get=90,set=10")?;
            let call = allowed.iter().find(|call| call.name() == name).ok_or_else(|| {
                let names: Vec<_> = allowed.iter().map(|call| call.name()).collect();
                format!("no operation {name:?}; expected one of {}", names.join(", "))
            })?;
            if calls.iter().any(|(known, _)| known == call) {
                return Err(format!("{name} is there twice"));
            }
            let number = weight.parse().ok().filter(|number: &f64| number.is_finite());
            let number = number.ok_or_else(|| {
                format!("{weight:?} is no weight; expected a number, as in {name}=90")
            })?;
            calls.push((*call, number));
        }
        Ok(Self { text: text.to_owned(), choice: Choice::new(calls)? })
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::of(text, &Call::mixed().collect::<Vec<_>>())
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::LaneId;

    #[test]
    fn operations_have_their_shares() {
        let mix: Mix = "get=90,set=7.5,mget=2.5".parse().unwrap();
        let mut rng = LaneId { index: 0, of: 1 }.rng(2);
        let mut counts = [0.0_f64; 7];
        for _ in 0..100_000 {
            counts[mix.draw(&mut rng) as usize] += 1e-5;
        }
        for (call, share) in [(Call::Get, 0.9), (Call::Set, 0.075), (Call::MultiGet, 0.025)] {
            assert!((counts[call as usize] - share).abs() < 0.003, "{call:?}: {counts:?}");
        }
        assert!((counts.iter().sum::<f64>() - 1.0).abs() < 1e-6, "no other operation");
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        for text in [
            "",
            "get",
            "get=x",
            "get=1,get=2",
            "fill=1",
            "get=0",
            "get=-1,set=2",
            "get=inf",
            "get=nan",
        ] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
