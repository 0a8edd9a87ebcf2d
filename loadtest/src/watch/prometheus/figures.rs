//! The metrics, each declared once with its help. Counters and gauges are read when they are
//! scraped; latencies are those of the seconds that are whole.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::engine::{Live, Rate, Second};

/// Upper ends of the buckets in microseconds: three in a decade, from what a loopback takes to
/// what an application would not wait for.
const BOUNDS: [u64; 19] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// What is shown; a clone shows the same.
#[derive(Clone, Default)]
pub(super) struct Figures(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rate: Option<Rate>,
    live: Arc<Live>,
    response: Buckets,
    service: Buckets,
}

/// How many latencies lay below which bound, and in the last place above all.
#[derive(Clone, Copy, Debug, Default)]
struct Buckets {
    counts: [u64; BOUNDS.len() + 1],
    seconds: f64,
}

impl Figures {
    /// Notes what rate is asked for from here on, and where requests are counted.
    pub(super) fn begin(&self, rate: Option<Rate>, live: &Arc<Live>) {
        let mut state = self.0.lock();
        state.rate = rate;
        state.live = Arc::clone(live);
    }

    /// Adds the latencies of a second.
    pub(super) fn second(&self, second: &Second) {
        let mut state = self.0.lock();
        state.response.add(&second.response);
        state.service.add(&second.service);
    }

    /// The figures as OpenMetrics has them.
    pub(super) fn text(&self) -> String {
        let mut registry = Registry::default();
        registry
            .sub_registry_with_prefix("tiny_cache_loadtest")
            .register_collector(Box::new(self.clone()));
        let mut text = String::with_capacity(4 << 10);
        encode(&mut text, &registry).expect("a String takes all that is written to it");
        text
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = self.0.lock();
        let seen = state.live.seen();
        let counters = [
            ("requests", "Requests done, those of prefill and warm-up among them", seen.done),
            ("failed", "Of them, those that failed", seen.failed),
            ("hits", "Keys read that had a value", seen.hits),
            ("misses", "Keys read that had none", seen.misses),
        ];
        for (name, help, count) in counters {
            declare(&mut encoder, name, help, None, &ConstCounter::new(count))?;
        }
        let gauges = [
            ("in_flight", "Requests on the wire", Some(seen.in_flight() as f64)),
            ("waiting", "Requests whose instant has come, without room", Some(seen.waiting as f64)),
            (
                "asked_rate",
                "Requests in a second that are asked for",
                state.rate.map(Rate::per_second),
            ),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                declare(&mut encoder, name, help, None, &ConstGauge::new(value))?;
            }
        }
        let histograms = [
            (
                "response",
                "From the intended instant to the reply, measured and answered requests only; \
                 empty in a closed loop",
                &state.response,
            ),
            (
                "service",
                "From the sending to the reply, measured and answered requests only",
                &state.service,
            ),
        ];
        for (name, help, buckets) in histograms {
            declare(&mut encoder, name, help, Some(&Unit::Seconds), buckets)?;
        }
        Ok(())
    }
}

fn declare(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)
}

impl Buckets {
    fn add(&mut self, nanoseconds: &hdrhistogram::Histogram<u64>) {
        for step in nanoseconds.iter_recorded() {
            // The three digits that it is known to.
            let nanos = nanoseconds.lowest_equivalent(step.value_iterated_to());
            let bound = BOUNDS.partition_point(|micros| micros * 1_000 < nanos);
            self.counts[bound] += step.count_at_value();
        }
        let mean = Duration::from_nanos(nanoseconds.mean() as u64).as_secs_f64();
        self.seconds += mean * nanoseconds.len() as f64;
    }
}

impl EncodeMetric for Buckets {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let ends = BOUNDS.into_iter().map(|micros| Duration::from_micros(micros).as_secs_f64());
        let ends = ends.chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = ends.zip(self.counts).collect();
        encoder.encode_histogram::<NoLabelSet>(
            self.seconds,
            self.counts.iter().sum(),
            &buckets,
            None,
        )
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hdr::histogram;

    #[test]
    fn a_latency_is_in_the_first_bucket_that_is_wide_enough() {
        let mut times = histogram();
        for micros in [1, 10, 11, 999, 20_000_000] {
            times.record(micros * 1_000).unwrap();
        }
        let mut buckets = Buckets::default();
        buckets.add(&times);
        let filled: Vec<_> = (0..=BOUNDS.len()).filter(|at| buckets.counts[*at] > 0).collect();
        assert_eq!(filled, [0, 1, 6, BOUNDS.len()]);
        assert_eq!(buckets.counts[0], 2, "a bound belongs to the bucket below it");
        assert!((buckets.seconds - 20.001_021).abs() < 0.03, "{}", buckets.seconds);
    }
}
