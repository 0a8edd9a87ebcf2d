//! Draws one of several things by weight, in constant time.

use rand::Rng;
use rand_distr::{Distribution, weighted::WeightedAliasIndex};

/// Things, and how often which is drawn.
#[derive(Clone, Debug)]
pub(super) struct Choice<T> {
    pub(super) things: Vec<T>,
    index: WeightedAliasIndex<f64>,
}

impl<T> Choice<T> {
    /// Takes things with their weights. The error is what was expected.
    pub(super) fn new(weighted: Vec<(T, f64)>) -> Result<Self, &'static str> {
        let (things, weights) = weighted.into_iter().unzip();
        let index = WeightedAliasIndex::new(weights)
            .map_err(|_| "expected weights that are not negative and not all zero")?;
        Ok(Self { things, index })
    }

    pub(super) fn draw(&self, rng: &mut impl Rng) -> &T {
        &self.things[self.index.sample(rng)]
    }
}
