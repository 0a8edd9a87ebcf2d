//! What a soak is judged by: how steep memory grows, and how latencies move.

use std::time::Duration;

/// The slope of the line through these points that has the least squares: units of the second
/// number for each of the first.
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    both / along
}

/// A call that was answered: when, since the beginning, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    pub(super) at: Duration,
    pub(super) took: Duration,
}

/// The latencies of each quarter of the time between two moments: how many calls, and the time
/// that 50 %, 99 % and 99.9 % of them did not exceed.
pub(super) fn quarters(
    calls: &[Timed],
    from: Duration,
    to: Duration,
) -> [(usize, [Duration; 3]); 4] {
    let part = (to - from) / 4;
    [0, 1, 2, 3].map(|number| {
        let begin = from + part * number;
        let within = calls.iter().filter(|call| (begin..begin + part).contains(&call.at));
        let mut took: Vec<Duration> = within.map(|call| call.took).collect();
        took.sort_unstable();
        let last = took.len().saturating_sub(1);
        let at = |per_mille| took.get(last * per_mille / 1000).copied().unwrap_or_default();
        (took.len(), [at(500), at(990), at(999)])
    })
}

#[test]
fn a_slope_is_found_in_spite_of_noise() {
    let noisy = |n: f64| 5.0 + 2.0 * n + if n % 2.0 == 0.0 { 3.0 } else { -3.0 };
    let points: Vec<_> = (0..200).map(f64::from).map(|n| (n, noisy(n))).collect();
    assert!((slope(&points) - 2.0).abs() < 0.01, "{}", slope(&points));
    let level: Vec<_> = (0..200).map(f64::from).map(|n| (n, 7.0)).collect();
    assert!(slope(&level).abs() < 1e-9);
}

#[test]
fn quarters_have_the_latencies_of_their_own_time() {
    let second = Duration::from_secs;
    let calls: Vec<Timed> = (0..400)
        .map(|n| Timed { at: second(n), took: second(if n < 300 { 1 } else { 2 + n % 2 }) })
        .collect();
    let quarters = quarters(&calls, second(0), second(400));
    assert_eq!(quarters[0], (100, [second(1); 3]));
    assert_eq!(quarters[3].0, 100);
    assert_eq!(quarters[3].1[2], second(3));
}
