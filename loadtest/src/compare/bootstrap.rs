//! Seconds drawn anew. Those that follow each other are not independent, so they are drawn in
//! blocks: the moving block bootstrap of H. R. Künsch, "The Jackknife and the Bootstrap for
//! General Stationary Observations", Annals of Statistics 17, 1989. Where there are several
//! runs, a run is drawn first and then the blocks within it, for each run that there is.

use rand::{Rng, RngExt};

/// The seconds of a side: the first of each run, and how many it has.
pub(super) struct Runs(Vec<(usize, usize)>);

impl Runs {
    /// Takes the number of seconds of each run; runs without one are left out.
    pub(super) fn new(seconds: impl IntoIterator<Item = usize>) -> Self {
        let mut first = 0;
        let runs = seconds.into_iter().map(|length| {
            let run = (first, length);
            first += length;
            run
        });
        Self(runs.filter(|(_, length)| *length > 0).collect())
    }

    /// Draws as many runs as there are, as long as they are, and says how often each second
    /// came. There must be one.
    pub(super) fn draw(&self, rng: &mut impl Rng, weights: &mut [u32]) {
        weights.fill(0);
        for _ in &self.0 {
            let (first, length) = self.0[rng.random_range(0..self.0.len())];
            let block = block_length(length);
            let mut left = length;
            while left > 0 {
                let start = first + rng.random_range(0..=length - block);
                let taken = block.min(left);
                weights[start..start + taken].iter_mut().for_each(|weight| *weight += 1);
                left -= taken;
            }
        }
    }
}

/// Seconds in a block: the cube root of all, the order at which the error of a variance is
/// least (Künsch 1989; P. Hall, J. L. Horowitz and B.-Y. Jing, Biometrika 82, 1995).
pub(super) fn block_length(seconds: usize) -> usize {
    ((seconds as f64).cbrt().round() as usize).clamp(1, seconds.max(1))
}

/// The middle of what was drawn, so much of it.
pub(super) fn middle(drawn: &mut [f64], confidence: f64) -> Option<(f64, f64)> {
    drawn.sort_unstable_by(f64::total_cmp);
    let last = drawn.len().checked_sub(1)?;
    let cut = ((1.0 - confidence) / 2.0 * last as f64).round() as usize;
    Some((drawn[cut], drawn[last - cut]))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    #[test]
    fn a_draw_is_as_long_as_the_run_and_made_of_blocks() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let runs = Runs::new([27]);
        let mut weights = [0; 27];
        let mut seen = [false; 27];
        for _ in 0..200 {
            runs.draw(&mut rng, &mut weights);
            assert_eq!(weights.iter().sum::<u32>(), 27);
            // 27 are 9 blocks of 3: a second that came has a neighbour that did.
            for (at, _) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
                seen[at] = true;
                let near = at.saturating_sub(1)..(at + 2).min(27);
                assert!(near.filter(|near| weights[*near] > 0).count() > 1, "{weights:?}");
            }
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn runs_are_drawn_as_wholes() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let runs = Runs::new([4, 0, 4]);
        let mut weights = [0; 8];
        let mut left_out = 0;
        for _ in 0..100 {
            runs.draw(&mut rng, &mut weights);
            let [first, second] = [&weights[..4], &weights[4..]].map(|run| run.iter().sum::<u32>());
            assert!(first + second == 8 && first % 4 == 0, "{weights:?}");
            left_out += u32::from(first == 0 || second == 0);
        }
        assert!((20..80).contains(&left_out), "{left_out}");
    }

    /// Each second has some of the one before. Nothing but the seed decides, and of the 5 % on
    /// either side the bootstrap of 15 blocks may miss some: it is a little too sure of itself.
    #[test]
    fn intervals_leave_the_truth_out_about_as_rarely_as_they_say() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let runs = Runs::new([60]);
        let (simulations, mut weights, mut wrong) = (400, [0; 60], [0, 0]);
        for _ in 0..simulations {
            let mut level = 0.0;
            let series = [(); 60].map(|()| {
                let fresh: f64 = StandardNormal.sample(&mut rng);
                level = 0.3 * level + fresh;
                level
            });
            let mut means: Vec<f64> = (0..150)
                .map(|_| {
                    runs.draw(&mut rng, &mut weights);
                    weights.iter().zip(&series).map(|(n, value)| f64::from(*n) * value).sum()
                })
                .collect();
            let (low, high) = middle(&mut means, 0.9).unwrap();
            wrong[0] += u32::from(low > 0.0);
            wrong[1] += u32::from(high < 0.0);
        }
        let [low, high] = wrong.map(|count| f64::from(count) / f64::from(simulations));
        assert!((0.04..0.13).contains(&low) && (0.04..0.13).contains(&high), "{low} {high}");
    }

    #[test]
    fn a_block_is_the_cube_root_of_all() {
        let lengths = [0, 1, 2, 10, 60, 600].map(block_length);
        assert_eq!(lengths, [1, 1, 1, 2, 4, 8]);
    }

    #[test]
    fn the_middle_leaves_the_same_out_on_both_sides() {
        let mut drawn: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(middle(&mut drawn, 0.9), Some((5.0, 95.0)));
        assert_eq!(middle(&mut [], 0.9), None);
    }
}
