//! Prometheus's protobuf: the families as `io.prometheus.client.MetricFamily`, each behind its
//! length. A histogram has its classic and its native buckets in one message, and the scraper
//! takes what it likes, as from Prometheus's own client for Go.
//!
//! The messages are prometheus-client's, generated from
//! <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>.
//! Its encoder is not used: a collector has no way to give it exemplars.

use std::time::SystemTime;

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{
    Bucket, BucketSpan, Counter, Exemplar, Gauge, Histogram, LabelPair, Metric, MetricFamily,
    MetricType,
};
use prost::Message;

use crate::histogram::{ExemplarSample, Snapshot};

use super::family::{Family, Kind, Label, Sample, Value};

/// Below this a value is zero: what Prometheus's own clients take.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39; // 2^-128

/// The whole page.
pub(super) fn encode(families: &[Family]) -> Vec<u8> {
    let mut page = Vec::with_capacity(32 << 10);
    for family in families {
        let message = message(family);
        message.encode_length_delimited(&mut page).expect("a Vec takes all that is written to it");
    }
    page
}

fn message(family: &Family) -> MetricFamily {
    let kind = match family.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge | Kind::Info => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    MetricFamily {
        name: family.name.to_owned(),
        help: family.help.to_owned(),
        r#type: kind.into(),
        metric: family.samples.iter().map(|sample| metric(family.kind, sample)).collect(),
        unit: family.unit().unwrap_or_default().to_owned(),
    }
}

fn metric(kind: Kind, sample: &Sample) -> Metric {
    let mut metric =
        Metric { label: sample.labels.iter().map(pair).collect(), ..Metric::default() };
    let value = match &sample.value {
        Value::Histogram(snapshot) => {
            metric.histogram = Some(histogram(snapshot));
            return metric;
        }
        Value::Count(count) => *count as f64,
        Value::Number(number) => *number,
    };
    if kind == Kind::Counter {
        metric.counter = Some(Counter { value, ..Counter::default() });
    } else {
        metric.gauge = Some(Gauge { value });
    }
    metric
}

fn pair((name, value): &Label) -> LabelPair {
    LabelPair { name: (*name).to_owned(), value: value.as_ref().to_owned() }
}

fn histogram(snapshot: &Snapshot) -> Histogram {
    let (spans, deltas) = spans(&snapshot.native());
    Histogram {
        sample_count: snapshot.count(),
        sample_sum: snapshot.sum(),
        bucket: snapshot
            .classic()
            .into_iter()
            .map(|classic| Bucket {
                cumulative_count: classic.cumulative,
                upper_bound: classic.bound,
                exemplar: classic.sample.map(exemplar),
                ..Bucket::default()
            })
            .collect(),
        schema: snapshot.schema().number(),
        zero_threshold: ZERO_THRESHOLD,
        zero_count: snapshot.zeros(),
        positive_span: spans,
        positive_delta: deltas,
        ..Histogram::default()
    }
}

/// Runs of neighbouring buckets, each with its distance from the one before, and what each
/// bucket has more than the last.
fn spans(buckets: &[(i32, u64)]) -> (Vec<BucketSpan>, Vec<i64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut deltas = Vec::with_capacity(buckets.len());
    let (mut next, mut before) = (0, 0);
    for &(index, count) in buckets {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(BucketSpan { offset: index - next, length: 1 }),
        }
        next = index + 1;
        let count = count as i64;
        deltas.push(count - before);
        before = count;
    }
    (spans, deltas)
}

fn exemplar(sample: ExemplarSample) -> Exemplar {
    let id = |name: &str, id: &[u8]| LabelPair { name: name.to_owned(), value: hex::encode(id) };
    let ExemplarSample { exemplar, value, at } = sample;
    Exemplar {
        label: vec![id("trace_id", &exemplar.trace_id), id("span_id", &exemplar.span_id)],
        value,
        timestamp: Some(SystemTime::into(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::metrics::family::{Samples, tests::histogram_with_an_exemplar};
    use proptest::prelude::*;

    fn decoded(families: &[Family]) -> Vec<MetricFamily> {
        let page = encode(families);
        let mut rest = page.as_slice();
        std::iter::from_fn(|| {
            let more = !rest.is_empty();
            more.then(|| MetricFamily::decode_length_delimited(&mut rest).unwrap())
        })
        .collect()
    }

    /// The way back, as a scraper goes it.
    fn buckets(spans: &[BucketSpan], deltas: &[i64]) -> Vec<(i32, u64)> {
        let (mut index, mut count) = (0, 0);
        let mut deltas = deltas.iter();
        let mut buckets = Vec::new();
        for span in spans {
            index += span.offset;
            for _ in 0..span.length {
                count += deltas.next().unwrap();
                buckets.push((index, count as u64));
                index += 1;
            }
        }
        assert_eq!(deltas.next(), None);
        buckets
    }

    #[test]
    fn a_histogram_has_both_kinds_of_buckets_and_its_exemplars() {
        let family =
            Family::new(Kind::Histogram, "a_took_seconds", "Time", histogram_with_an_exemplar());
        let [family] = decoded(&[family]).try_into().unwrap();
        assert_eq!((family.r#type(), family.unit.as_str()), (MetricType::Histogram, "seconds"));
        let histogram = family.metric[0].histogram.as_ref().unwrap();
        assert_eq!((histogram.sample_count, histogram.schema, histogram.zero_count), (2, 3, 0));
        let classic: Vec<_> =
            histogram.bucket.iter().map(|b| (b.upper_bound, b.cumulative_count)).collect();
        assert_eq!(classic, [(1e-5, 1), (1.0, 2), (f64::INFINITY, 2)]);
        // 5 µs lies in (2^(-141/8), 2^(-140/8)], half a second is 2^(-8/8).
        let native = buckets(&histogram.positive_span, &histogram.positive_delta);
        assert_eq!(native, [(-140, 1), (-8, 1)]);
        let exemplar = histogram.bucket[1].exemplar.as_ref().unwrap();
        assert_eq!(exemplar.label[1].value, "0202020202020202");
        assert!(exemplar.timestamp.unwrap().seconds > 1_700_000_000);
    }

    #[test]
    fn counters_and_gauges_keep_their_names_and_labels() {
        let page = decoded(&[
            Family::new(Kind::Counter, "a_total", "A", Samples::by("of", [("x", 5), ("y", 6)])),
            Family::new(Kind::Info, "b_info", "B", Samples::by("version", [("1", 1)])),
        ]);
        assert_eq!((page[0].name.as_str(), page[0].r#type()), ("a_total", MetricType::Counter));
        assert_eq!(page[0].metric[1].label[0].value, "y");
        assert_eq!(page[0].metric[1].counter.as_ref().unwrap().value, 6.0);
        assert_eq!(page[1].metric[0].gauge.as_ref().unwrap().value, 1.0);
    }

    proptest! {
        #[test]
        fn spans_lead_back_to_the_buckets(
            counts in prop::collection::btree_map(-300i32..300, 1u64..1000, 0..60),
        ) {
            let given: Vec<_> = counts.into_iter().collect();
            let (spans, deltas) = spans(&given);
            prop_assert_eq!(buckets(&spans, &deltas), given);
        }
    }
}
