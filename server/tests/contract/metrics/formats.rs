//! The formats of the page. The deployment cannot change them.

use std::time::{Duration, Instant};

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{
    Histogram, MetricFamily, MetricType,
};
use prost::Message;

use crate::support::{
    Deployment, Site,
    messages::{item, key},
    run,
    scrape::Scrape,
    wire::framed,
};

const PROTOBUF: &str = "application/vnd.google.protobuf;\
                        proto=io.prometheus.client.MetricFamily;encoding=delimited";

async fn used() -> Site {
    let site = Deployment::SeveralWorkersAndShards.start();
    let mut cache = site.connect().await;
    cache.set(item("k", "v")).await.unwrap();
    for _ in 0..20 {
        cache.get(key("k")).await.unwrap();
    }
    site
}

async fn protobuf(site: &Site) -> Vec<MetricFamily> {
    let response = Scrape::accepting(site, PROTOBUF).await;
    let kind = response.header("content-type").unwrap();
    assert!(kind.starts_with("application/vnd.google.protobuf;"), "{kind}");
    let mut rest = response.bytes.as_slice();
    let mut families = Vec::new();
    while !rest.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut rest).unwrap());
    }
    families
}

/// The native buckets, as the value at which each ends and its count.
fn native(histogram: &Histogram) -> Vec<(f64, u64)> {
    let base = 2f64.powf(2f64.powi(-histogram.schema));
    let (mut index, mut count) = (0, 0);
    let mut deltas = histogram.positive_delta.iter();
    let mut buckets = Vec::new();
    for span in &histogram.positive_span {
        index += span.offset;
        for _ in 0..span.length {
            count += deltas.next().unwrap();
            buckets.push((base.powi(index), u64::try_from(count).unwrap()));
            index += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    buckets
}

#[test]
fn the_three_formats_show_the_same_families() {
    run(async {
        let site = used().await;
        let classic = Scrape::of(&site).await.page;
        let response = Scrape::accepting(&site, "application/openmetrics-text;version=1.0.0").await;
        let kind = response.header("content-type").unwrap();
        assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
        let openmetrics = response.body;
        assert!(openmetrics.ends_with("\n# EOF\n"));
        let families = protobuf(&site).await;
        assert_eq!(classic.matches("# TYPE ").count(), families.len());
        assert_eq!(openmetrics.matches("# TYPE ").count(), families.len());
        for family in families {
            let name = &family.name;
            let kind = match family.r#type() {
                MetricType::Counter => "counter",
                MetricType::Gauge => "gauge",
                MetricType::Histogram => "histogram",
                other => panic!("{name} is a {other:?}"),
            };
            assert!(classic.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
            assert!(classic.contains(&format!("# HELP {name} {}\n", family.help)), "{name}");
            // OpenMetrics declares without what the kind adds, and knows one kind more.
            let stem = name.trim_end_matches("_total").trim_end_matches("_info");
            assert!(openmetrics.contains(&format!("# TYPE {stem} ")), "{name}");
            let unit = format!("# UNIT {stem} {}\n", family.unit);
            assert_eq!(openmetrics.contains(&unit), !family.unit.is_empty(), "{name}");
        }
    });
}

#[test]
fn a_histogram_tells_the_same_in_native_and_in_classic_buckets() {
    run(async {
        let site = used().await;
        let mut seen = 0;
        for family in protobuf(&site).await {
            for metric in &family.metric {
                let Some(histogram) = &metric.histogram else { continue };
                let native: u64 = native(histogram).iter().map(|(_, count)| count).sum();
                assert_eq!(native + histogram.zero_count, histogram.sample_count, "{family:?}");
                let classic = histogram.bucket.last().unwrap();
                assert_eq!(classic.cumulative_count, histogram.sample_count, "{family:?}");
                assert!(classic.upper_bound.is_infinite());
                let schema = if family.name.ends_with("seconds") { 3 } else { 0 };
                assert_eq!(histogram.schema, schema, "{}", family.name);
                seen += 1;
            }
        }
        // Two methods, each with time, request and reply, and the sweeps.
        assert!(seen >= 6, "{seen}");
    });
}

#[test]
fn a_native_bucket_is_around_the_time_that_was_taken() {
    run(async {
        let site = Deployment::OneWorkerOneShard.start();
        let mut wire = site.wire().await;
        let whole = framed(false, &item("k", vec![0; 1000]).encode_to_vec());
        let begun = Instant::now();
        let (response, mut stream) =
            wire.stall("/cache.CacheService/Set", whole.slice(..500)).await.unwrap();
        wire.ping().await.unwrap();
        let at_least = Instant::now();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let at_least = at_least.elapsed().as_secs_f64();
        stream.send_data(whole.slice(500..), true).unwrap();
        response.await.unwrap();
        let at_most = begun.elapsed().as_secs_f64();

        let families = protobuf(&site).await;
        let family =
            families.iter().find(|family| family.name == "rpc_server_call_duration_seconds");
        let mut histograms =
            family.unwrap().metric.iter().filter_map(|metric| metric.histogram.as_ref());
        // The others are at zero, for the alerts.
        let histogram = histograms.find(|histogram| histogram.sample_count > 0).unwrap();
        let sum = histogram.sample_sum;
        assert!((at_least..at_most).contains(&sum), "{at_least} {sum} {at_most}");
        let [(end, 1)] = native(histogram)[..] else { panic!("{histogram:?}") };
        let start = end / 2f64.powf(0.125);
        assert!(start < sum && sum <= end, "{start} {sum} {end}");
    });
}
