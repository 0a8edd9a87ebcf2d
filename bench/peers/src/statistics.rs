//! What is made of the figures of several rounds.

/// The middle figure; of an even number of them, the mean of the two in the middle. NaN of none.
pub fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

/// The median of each round's own ratio, which a change of the machine's speed between rounds
/// does not touch.
pub fn median_ratio(theirs: &[f64], ours: &[f64]) -> f64 {
    let ratios: Vec<_> = theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect();
    median(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_whatever_the_order() {
        assert_eq!(median(&[9.0, 1.0, 4.0]), 4.0);
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), 3.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_ratio_is_that_of_the_rounds() {
        // The machine was half as fast in the second round.
        assert_eq!(median_ratio(&[20.0, 40.0, 30.0], &[10.0, 20.0, 10.0]), 2.0);
    }
}
