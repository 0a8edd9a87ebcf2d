//! Which operation comes next.

use std::{fmt, str::FromStr};

use rand_distr::{Distribution, weighted::WeightedAliasIndex};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// The operations of a run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Call {
    /// Get.
    Get,
    /// Set.
    Set,
    /// Delete.
    Delete,
    /// SetIfAbsent.
    SetIfAbsent,
    /// CompareAndSet.
    CompareAndSet,
    /// MultiGet of a batch.
    MultiGet,
    /// MultiSet of a batch.
    MultiSet,
    /// The Set that follows a Get that missed, when reads are cache-aside. No mix has it.
    Fill,
}

impl Call {
    /// Those that a mix can have.
    const MIXED: [Self; 7] = [
        Self::Get,
        Self::Set,
        Self::Delete,
        Self::SetIfAbsent,
        Self::CompareAndSet,
        Self::MultiGet,
        Self::MultiSet,
    ];

    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::Set,
        Self::Delete,
        Self::SetIfAbsent,
        Self::CompareAndSet,
        Self::MultiGet,
        Self::MultiSet,
        Self::Fill,
    ];

    /// The name in a mix and in a report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::SetIfAbsent => "set-if-absent",
            Self::CompareAndSet => "compare-and-set",
            Self::MultiGet => "mget",
            Self::MultiSet => "mset",
            Self::Fill => "fill",
        }
    }
}

/// Shares of operations.
#[derive(Clone, Debug)]
pub struct Mix {
    text: String,
    calls: Vec<Call>,
    choice: WeightedAliasIndex<f64>,
}

impl Mix {
    /// The operations that it has.
    pub(crate) fn calls(&self) -> impl Iterator<Item = Call> + '_ {
        self.calls.iter().copied()
    }

    /// Draws an operation, in constant time.
    pub fn draw(&self, rng: &mut Pcg64Mcg) -> Call {
        match self.calls[..] {
            [only] => only,
            _ => self.calls[self.choice.sample(rng)],
        }
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut calls, mut weights) = (Vec::new(), Vec::new());
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').ok_or("expected OPERATION=WEIGHT,…")?;
            let call =
                Call::MIXED.into_iter().find(|call| call.name() == name).ok_or_else(|| {
                    let names = Call::MIXED.map(Call::name).join(", ");
                    format!("no operation {name:?}; expected one of {names}")
                })?;
            if calls.contains(&call) {
                return Err(format!("{name} is there twice"));
            }
            calls.push(call);
            weights.push(weight.parse().map_err(|_| format!("{weight:?} is no number"))?);
        }
        let choice = WeightedAliasIndex::new(weights)
            .map_err(|_| "expected weights that are not negative and not all zero")?;
        Ok(Self { text: text.to_owned(), calls, choice })
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
        for text in ["", "get", "get=x", "get=1,get=2", "fill=1", "get=0", "get=-1,set=2"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
