//! Decides which rate is tried next. Knows nothing of requests: it hears whether a rate held.
//!
//! The ramp multiplies the rate until one does not hold, or divides it until one does; what is
//! left between the two is halved, on a scale of factors, until it is narrow enough. Then what
//! was found has to hold once more.
//!
//! A step can fail by chance, when the machine was busy for a moment, and hold by chance, when a
//! queue had no time to grow. Failing by chance would hide all that lies above, so a rate counts
//! as failed after its second failure only. Holding by chance would promise too much, so what
//! was found is confirmed, and each confirmation has one attempt: a rate that is not held by the
//! majority of its steps is not found.

use std::collections::BTreeSet;

use crate::spec::Rules;

/// What became of a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Held {
    /// What was promised held.
    Yes,
    /// It did not, which may have been by chance.
    No,
    /// It did not, and so clearly that the step was broken off.
    Never,
}

/// A search under way.
#[derive(Debug)]
pub(crate) struct RateSearch {
    rules: Rules,
    /// The rates that held. All are below `failed`.
    held: BTreeSet<u64>,
    /// The lowest rate that failed.
    pub(crate) failed: Option<u64>,
    /// A rate that failed once.
    doubted: Option<u64>,
    /// How often the highest rate that held did so again.
    confirmed: u32,
}

impl RateSearch {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, held: BTreeSet::new(), failed: None, doubted: None, confirmed: 0 }
    }

    /// The rate to try next; none when the search is over.
    pub(crate) fn next(&self) -> Option<u64> {
        let Rules { from, to, growth, precision, confirm } = self.rules;
        if self.doubted.is_some() {
            return self.doubted;
        }
        match (self.found(), self.failed) {
            (None, None) => Some(from.min(to)),
            (None, Some(..=1)) => None,
            (None, Some(failed)) => Some(((failed as f64 / growth) as u64).clamp(1, failed - 1)),
            (Some(found), None) if found < to => {
                Some(((found as f64 * growth) as u64).clamp(found + 1, to))
            }
            (Some(found), Some(failed))
                if failed - found > 1 && failed as f64 > found as f64 * (1.0 + precision) =>
            {
                let middle = (found as f64 * failed as f64).sqrt().round() as u64;
                Some(middle.clamp(found + 1, failed - 1))
            }
            (Some(found), _) => (self.confirmed < confirm).then_some(found),
        }
    }

    /// Takes what became of a step at the rate that was to be next.
    pub(crate) fn learn(&mut self, rate: u64, held: Held) {
        let is_confirmation = self.held.contains(&rate);
        let first_attempt = self.doubted.take().is_none();
        match held {
            Held::Yes if is_confirmation => self.confirmed += 1,
            Held::Yes => {
                self.held.insert(rate);
                self.confirmed = 0;
            }
            Held::No if first_attempt && !is_confirmation => self.doubted = Some(rate),
            Held::No | Held::Never => {
                self.held.split_off(&rate);
                self.failed = Some(rate);
                self.confirmed = 0;
            }
        }
    }

    /// The highest rate that held.
    pub(crate) fn found(&self) -> Option<u64> {
        self.held.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    const RULES: Rules =
        Rules { from: 1000, to: 1_000_000_000, growth: 2.0, precision: 0.02, confirm: 1 };

    /// Searches with this server, and looks at the bracket after every step; gives the steps.
    fn search(plan: &mut RateSearch, mut server: impl FnMut(u64) -> Held) -> Vec<u64> {
        let mut rates = Vec::new();
        let (mut failed, to) = (u64::MAX, plan.rules.to);
        while let Some(rate) = plan.next() {
            assert!((1..=to).contains(&rate), "{rate} in {plan:?}");
            plan.learn(rate, server(rate));
            rates.push(rate);
            assert!(plan.found().is_none_or(|found| Some(found) < plan.failed.or(Some(u64::MAX))));
            assert!(plan.failed.is_none_or(|now| now <= failed), "{plan:?}");
            failed = plan.failed.unwrap_or(failed);
            assert!(rates.len() < 1000, "{plan:?}");
        }
        rates
    }

    /// A server that keeps its promise up to a limit.
    fn up_to(limit: u64) -> impl FnMut(u64) -> Held {
        move |rate| if rate <= limit { Held::Yes } else { Held::No }
    }

    #[test]
    fn the_ramp_doubles_and_what_is_left_is_halved() {
        let mut plan = RateSearch::new(Rules { precision: 0.1, ..RULES });
        let rates = search(&mut plan, up_to(3000));
        let expected = [1000, 2000, 4000, 4000, 2828, 3363, 3363, 3084, 3084, 2828];
        assert_eq!(rates, expected);
        assert_eq!((plan.found(), plan.failed), (Some(2828), Some(3084)));
    }

    #[test]
    fn a_first_rate_that_fails_is_divided_until_one_holds() {
        let mut plan = RateSearch::new(RULES);
        let rates = search(&mut plan, up_to(130));
        assert_eq!(rates[..8], [1000, 1000, 500, 500, 250, 250, 125, 177]);
        assert_eq!((plan.found(), plan.failed), (Some(130), Some(131)));
    }

    #[test]
    fn where_nothing_holds_the_search_ends_at_one_request_a_second() {
        let mut plan = RateSearch::new(RULES);
        let rates = search(&mut plan, up_to(0));
        assert_eq!((plan.found(), plan.failed, rates.last()), (None, Some(1), Some(&1)));
        assert_eq!(rates.len(), 2 * 10);
    }

    #[test]
    fn where_nothing_fails_the_search_ends_at_the_highest_rate() {
        let mut plan = RateSearch::new(Rules { to: 5000, ..RULES });
        assert_eq!(search(&mut plan, up_to(u64::MAX)), [1000, 2000, 4000, 5000, 5000]);
        assert_eq!((plan.found(), plan.failed), (Some(5000), None));
    }

    #[test]
    fn a_step_that_was_broken_off_is_not_tried_again() {
        let mut plan = RateSearch::new(Rules { precision: 0.5, ..RULES });
        let rates = search(&mut plan, |rate| if rate > 1500 { Held::Never } else { Held::Yes });
        assert_eq!(rates, [1000, 2000, 1414, 1414]);
    }

    #[test]
    fn one_failure_by_chance_hides_nothing() {
        let mut plan = RateSearch::new(RULES);
        let mut seen = BTreeSet::new();
        let mut server = up_to(50_000);
        search(&mut plan, |rate| if seen.insert(rate) { Held::No } else { server(rate) });
        assert!(plan.found().is_some_and(|found| (49_000..=50_000).contains(&found)), "{plan:?}");
    }

    #[test]
    fn what_held_by_chance_is_not_found() {
        let mut plan = RateSearch::new(RULES);
        let mut lucky = true;
        let mut server = up_to(3000);
        let rates = search(&mut plan, |rate| {
            // 4000 holds once, and is what is found until it is confirmed.
            if rate == 4000 && std::mem::take(&mut lucky) { Held::Yes } else { server(rate) }
        });
        assert!(!lucky && rates.iter().filter(|rate| **rate == 4000).count() == 2, "{rates:?}");
        assert!(plan.found().is_some_and(|found| (2940..=3000).contains(&found)), "{plan:?}");
    }

    proptest! {
        #[test]
        fn every_limit_is_found_within_the_precision(
            limit in 1_u64..=100_000_000,
            from in 1_u64..=1_000_000,
            growth in 1.1_f64..10.0,
            precision in 0.001_f64..0.5,
        ) {
            let mut plan = RateSearch::new(Rules { from, growth, precision, ..RULES });
            let steps = search(&mut plan, up_to(limit)).len() as f64;
            let found = plan.found().expect("1/s holds");
            prop_assert!(found <= limit);
            prop_assert!(found as f64 * (1.0 + precision) >= limit as f64 || found == limit);
            // Small rates are whole numbers, so a step of the ramp may be less than asked for.
            let ramp = (limit.max(from) as f64).ln() / growth.ln() + 2.0 + 2.0 / (growth - 1.0);
            let halving = (growth.max(2.0).ln() / precision.ln_1p()).log2().max(0.0) + 1.0;
            let most = 2.0 * (ramp + halving) + 1.0;
            prop_assert!(steps <= most, "{steps} steps, expected at most {most}");
        }

        /// Within a tenth of the limit it is up to chance whether a step holds; elsewhere one
        /// in twenty fails.
        #[test]
        fn a_noisy_limit_is_found_within_its_noise(
            limit in 100_u64..=10_000_000,
            from in 1_u64..=1_000_000,
            seed in any::<u64>(),
        ) {
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            // Two failures by chance in a row are not excluded by a retry: here they are.
            let mut failed_before = None;
            let mut plan = RateSearch::new(Rules { from, confirm: 0, ..RULES });
            let steps = search(&mut plan, |rate| {
                let factor = rate as f64 / limit as f64;
                let holds = if factor > 1.1 {
                    false
                } else if factor > 0.9 {
                    rng.random_bool(0.5)
                } else {
                    failed_before == Some(rate) || rng.random_bool(0.95)
                };
                failed_before = (!holds).then_some(rate);
                if holds { Held::Yes } else { Held::No }
            });
            let found = plan.found().expect("low rates hold") as f64 / limit as f64;
            prop_assert!((0.85..=1.1).contains(&found), "{found} of the limit");
            prop_assert!(steps.len() <= 2 * (24 + 8), "{steps:?}");
        }
    }
}
