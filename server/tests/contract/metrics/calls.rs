//! Calls by method and status, their sizes, and callers that go away.

use prost::Message;
use tiny_cache_proto::method::CacheMethod;
use tokio::time::{Instant, sleep_until};

use crate::support::{
    Deployment,
    messages::{every_call, item, key},
    scrape::Scrape,
    wire::framed,
};

crate::rows![
    every_call_is_counted_by_method_and_status,
    sizes_are_those_of_the_messages,
    a_request_that_is_reset_is_cancelled,
    a_request_whose_connection_is_lost_is_cancelled,
    buckets_are_cumulative_up_to_the_count,
];

const GET: &str = "cache.CacheService/Get";
const SET: &str = "cache.CacheService/Set";

async fn every_call_is_counted_by_method_and_status(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut wire = site.wire().await;
    for call in every_call() {
        wire.call(&call.path(), &[], &call.message).await.unwrap();
    }
    let empty = key("").encode_to_vec();
    let large = item("k", vec![0; 101]).encode_to_vec();
    let check = [];
    for (path, message, times) in [
        ("/cache.CacheService/Get", &empty[..], 2),
        ("/cache.CacheService/Set", &large[..], 3),
        ("/cache.CacheService/Got", &check[..], 1),
        ("/other.Service/Get", &check[..], 1),
        ("/grpc.health.v1.Health/Check", &check[..], 4),
    ] {
        for _ in 0..times {
            wire.call(path, &[], message).await.unwrap();
        }
    }
    let scrape = Scrape::of(&site).await;
    for call in every_call() {
        let method = &call.path()[1..];
        assert!((scrape.calls(method, "OK") - 1.0).abs() < 1e-9, "{method}");
    }
    for (method, code, times) in [
        (GET, "INVALID_ARGUMENT", 2.0),
        (SET, "RESOURCE_EXHAUSTED", 3.0),
        ("_OTHER", "UNIMPLEMENTED", 2.0),
        ("grpc.health.v1.Health/Check", "OK", 4.0),
        (GET, "CANCELLED", 0.0),
    ] {
        let counted = scrape.calls(method, code);
        assert!((counted - times).abs() < 1e-9, "{method} {code}: {counted}");
    }
    scrape.assert(&[("active_requests", 0.0), ("http2_resets_total", 0.0)]);
    // Four statuses of each RPC of both services from the start; two other pairs, the unknown methods
    // and the health check since they were seen.
    assert_eq!(
        scrape.series("rpc_server_call_duration_seconds_count"),
        4 * CacheMethod::ALL.len() + 4
    );
}

async fn sizes_are_those_of_the_messages(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let value = vec![7; 1000];
    let set = item("k", value).encode_to_vec();
    let get = key("k").encode_to_vec();
    wire.call("/cache.CacheService/Set", &[], &set).await.unwrap();
    let reply = wire.call("/cache.CacheService/Get", &[], &get).await.unwrap();
    let reply = reply.message.unwrap().len();
    let scrape = Scrape::of(&site).await;
    let size = |figure: &str, method: &str| {
        let labels = format!("{{rpc_system_name=\"grpc\",rpc_method=\"{method}\"}}");
        scrape.value(&format!("rpc_server_{figure}{labels}"))
    };
    let bytes = |length: usize| f64::from(u32::try_from(length).unwrap());
    for (figure, method, expected) in [
        ("request_size_bytes_sum", SET, bytes(set.len())),
        ("request_size_bytes_count", SET, 1.0),
        ("request_size_bytes_sum", GET, bytes(get.len())),
        ("response_size_bytes_sum", GET, bytes(reply)),
        ("response_size_bytes_count", GET, 1.0),
    ] {
        let told = size(figure, method);
        assert!((told - expected).abs() < 1e-9, "{figure} of {method}: {told}, not {expected}");
    }
    let bucket = |bound| {
        let labels = format!("rpc_system_name=\"grpc\",rpc_method=\"{SET}\",le=\"{bound}\"");
        scrape.value(&format!("rpc_server_request_size_bytes_bucket{{{labels}}}"))
    };
    // A thousand bytes of value, and those around them.
    assert_eq!([bucket("256"), bucket("1024"), bucket("+Inf")], [0.0, 1.0, 1.0]);
}

async fn a_request_that_is_reset_is_cancelled(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let whole = framed(false, &item("k", vec![0; 1000]).encode_to_vec());
    let (_response, mut stream) =
        wire.stall("/cache.CacheService/Set", whole.slice(..500)).await.unwrap();
    let active = |scrape: &Scrape| scrape.value("tiny_cache_active_requests") > 0.0;
    // A moment later: most requests are complete at once.
    let scrape = Scrape::until(&site, active).await;
    scrape.assert(&[("active_requests", 1.0), ("http2_resets_total", 0.0)]);
    stream.send_reset(h2::Reason::CANCEL);
    wire.ping().await.unwrap();
    let scrape =
        Scrape::until(&site, |scrape| scrape.value("tiny_cache_active_requests") < 1.0).await;
    scrape.assert(&[("http2_resets_total", 1.0), ("inserts_total", 0.0)]);
    assert!((scrape.calls(SET, "CANCELLED") - 1.0).abs() < 1e-9, "{}", scrape.page);
    assert_eq!(
        scrape.series("rpc_server_call_duration_seconds_count"),
        4 * CacheMethod::ALL.len() + 1
    );
}

async fn a_request_whose_connection_is_lost_is_cancelled(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let whole = framed(false, &item("k", vec![0; 1000]).encode_to_vec());
    let begun = wire.stall("/cache.CacheService/Set", whole.slice(..500)).await.unwrap();
    Scrape::until(&site, |scrape| scrape.value("tiny_cache_active_requests") > 0.0).await;
    drop(wire);
    let resets = "tiny_cache_http2_resets_total";
    // A scrape may come between the two counts.
    let told = |scrape: &Scrape| scrape.value(resets) > 0.0 && scrape.calls(SET, "CANCELLED") > 0.0;
    let scrape = Scrape::until(&site, told).await;
    drop(begun);
    scrape.assert(&[("http2_resets_total", 1.0)]);
    assert!((scrape.calls(SET, "CANCELLED") - 1.0).abs() < 1e-9, "{}", scrape.page);
}

/// A request whose message took a known time to arrive lies above the buckets below it.
async fn buckets_are_cumulative_up_to_the_count(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let whole = framed(false, &item("k", vec![0; 1000]).encode_to_vec());
    let (response, mut stream) =
        wire.stall("/cache.CacheService/Set", whole.slice(..500)).await.unwrap();
    wire.ping().await.unwrap();
    sleep_until(Instant::now() + std::time::Duration::from_millis(60)).await;
    stream.send_data(whole.slice(500..), true).unwrap();
    response.await.unwrap();
    wire.call("/cache.CacheService/Get", &[], &key("k").encode_to_vec()).await.unwrap();

    let scrape = Scrape::of(&site).await;
    let buckets = |method: &str| -> Vec<(String, f64)> {
        let start = format!(
            "rpc_server_call_duration_seconds_bucket{{rpc_system_name=\"grpc\",\
             rpc_method=\"{method}\",rpc_response_status_code=\"OK\",le=\""
        );
        let lines = scrape.page.lines().filter_map(|line| line.strip_prefix(&start));
        let parts = lines.map(|rest| rest.split_once("\"} ").unwrap());
        parts.map(|(bound, count)| (bound.to_owned(), count.parse().unwrap())).collect()
    };
    for method in [GET, SET] {
        let buckets = buckets(method);
        assert_eq!(buckets.len(), 20);
        assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{buckets:?}");
        assert_eq!(buckets.last().unwrap(), &("+Inf".to_owned(), scrape.calls(method, "OK")));
    }
    let set = buckets(SET);
    let at = |bound: &str| set.iter().find(|(known, _)| known == bound).unwrap().1;
    assert_eq!((at("0.05"), at("+Inf")), (0.0, 1.0));
}
