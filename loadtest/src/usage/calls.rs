//! How long a server's calls took by its own clock: the histogram on its page of metrics.

use std::collections::BTreeMap;

use super::samples;

/// Calls of the cache's own service: probes and unknown methods are left out.
const BUCKET: &str = "rpc_server_call_duration_seconds_bucket";
const SERVICE: &str = r#"rpc_method="cache.CacheService/"#;

/// How many calls took at most so many nanoseconds, for each bound of the histogram. Empty: the
/// page has none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CallTimes(BTreeMap<u64, u64>);

impl CallTimes {
    pub(super) fn of_page(page: &str) -> Self {
        let mut counts = BTreeMap::new();
        let buckets = page.lines().filter_map(|line| line.trim().strip_prefix(BUCKET));
        for (bound, count) in buckets.filter_map(bucket) {
            *counts.entry(bound).or_default() += count;
        }
        Self(counts)
    }

    /// The lowest bound that 99 % of the calls since `before` kept, in seconds; none without a
    /// call, and above the last bound.
    pub(super) fn p99_since(&self, before: &Self) -> Option<f64> {
        let counts = self.0.iter().map(|(bound, count)| {
            (*bound, count.saturating_sub(before.0.get(bound).copied().unwrap_or_default()))
        });
        let counts: Vec<_> = counts.collect();
        let (_, all) = *counts.last().filter(|(_, all)| *all > 0)?;
        let (bound, _) =
            counts.into_iter().find(|(_, count)| *count as f64 >= all as f64 * 0.99)?;
        (bound < u64::MAX).then(|| bound as f64 / 1e9)
    }
}

/// The bound of a bucket and its count; the last bound is infinite.
fn bucket(rest: &str) -> Option<(u64, u64)> {
    let bound = rest.contains(SERVICE).then(|| rest.split_once("le=\""))??.1;
    let bound: f64 = bound.split_once('"')?.0.parse().ok()?;
    Some(((bound * 1e9).round() as u64, samples::figure(rest)? as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(calls: [[u64; 3]; 2]) -> String {
        let line = |method: &str, le: &str, count: u64| {
            format!("{BUCKET}{{rpc_method=\"{method}\",le=\"{le}\"}} {count}\n")
        };
        let mut page = line("grpc.health.v1.Health/Check", "0.001", 9_000_000);
        for (method, counts) in ["Get", "Set"].into_iter().zip(calls) {
            for (le, count) in ["0.001", "0.0025", "+Inf"].into_iter().zip(counts) {
                page += &line(&format!("cache.CacheService/{method}"), le, count);
            }
        }
        page
    }

    fn p99(before: [[u64; 3]; 2], after: [[u64; 3]; 2]) -> Option<f64> {
        CallTimes::of_page(&page(after)).p99_since(&CallTimes::of_page(&page(before)))
    }

    #[test]
    fn the_bound_is_that_of_the_calls_in_between() {
        let before = [[10, 20, 500], [0, 0, 500]];
        assert_eq!(p99(before, [[109, 120, 600], [0, 0, 500]]), Some(0.001));
        assert_eq!(p99(before, [[59, 70, 550], [49, 50, 550]]), Some(0.0025));
        assert_eq!(p99(before, [[10, 20, 501], [0, 0, 500]]), None);
        assert_eq!(p99(before, before), None);
    }

    #[test]
    fn a_page_without_the_histogram_has_no_times() {
        for page in ["", "x 1\n", &format!("{BUCKET} 7\n{BUCKET}{{{SERVICE}Get\",le=\"x\"}} 1\n")] {
            let times = CallTimes::of_page(page);
            assert_eq!(times, CallTimes::default());
            assert_eq!(times.p99_since(&times), None);
        }
    }
}
