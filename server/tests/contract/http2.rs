//! Requests that HTTP/2 libraries treat in their own ways: authorities that are none, metadata
//! in many frames or too much of it, and what is refused below the services.

use std::time::Duration;

use prost::Message;
use tokio::time::timeout;
use tonic::Code;

use crate::support::{
    Deployment, Site,
    frames::{CONTINUATION, Frames, HEADERS, Outcome, block, string},
    messages::{item, key},
    process::Process,
    run,
    scrape::Scrape,
};

const GET: &str = "/cache.CacheService/Get";
const SET: &str = "/cache.CacheService/Set";

/// A request to Get with these fields in place of the usual ones.
fn get_with(replaced: &[(&str, Option<&str>)], more: &[(&str, &str)]) -> Vec<u8> {
    let usual = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", GET),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let replaced_by = |name| replaced.iter().find(|(other, _)| *other == name).map(|(_, by)| *by);
    let fields = usual.iter().filter_map(|(name, value)| match replaced_by(*name) {
        Some(by) => by.map(|by| (*name, by)),
        None => Some((*name, *value)),
    });
    let fields: Vec<_> = fields.chain(more.iter().copied()).collect();
    block(&fields)
}

fn get() -> Vec<u8> {
    key("k").encode_to_vec()
}

/// A server with a value at `k`, and a connection to it.
async fn site_and_frames() -> (Site, Frames) {
    let site = Deployment::OneWorkerOneShard.start();
    site.connect().await.set(item("k", "the value")).await.unwrap();
    let frames = Frames::connect(site.grpc_addr()).await;
    (site, frames)
}

fn assert_found(outcome: Outcome, what: &str) {
    let Outcome::Answered(Some(message)) = outcome else { panic!("{what}: {outcome:?}") };
    let value = tiny_cache_proto::cache::CacheValue::decode(&message[..]).unwrap();
    assert_eq!(value.value, "the value", "{what}");
}

/// Every call to `ipv4:127.0.0.1:1,127.0.0.1:2`, gRPC's syntax for several addresses, was reset
/// with PROTOCOL_ERROR: clients send the target as the authority, and it is none.
#[test]
fn an_authority_that_is_none_costs_no_call() {
    run(async {
        let (site, mut frames) = site_and_frames().await;
        let mut stream = 1;
        for authority in [
            "127.0.0.1:50051,127.0.0.1:50052",
            "ipv4:127.0.0.1:1,127.0.0.1:2",
            "a name with spaces",
            "%2Frun%2Fcache.sock",
            "/run/cache.sock",
            "[fe80::1%25eth0]:50051",
            "[fe80::1%eth0]",
            "user:password@host:1:2",
            "{cache}",
            "\u{fc}nicode",
        ] {
            let request = get_with(&[(":authority", Some(authority))], &[]);
            frames.request(stream, &request, 16 << 10, &get()).await;
            assert_found(frames.outcome(stream).await, authority);
            stream += 2;
        }
        // No authority at all, with and without the older field.
        for more in [&[][..], &[("host", "a, b")]] {
            let request = get_with(&[(":authority", None)], more);
            frames.request(stream, &request, 16 << 10, &get()).await;
            assert_found(frames.outcome(stream).await, "no authority");
            stream += 2;
        }
        let refused = "tiny_cache_connection_errors_total{kind=\"stream_refused\"}";
        assert!(Scrape::of(&site).await.value(refused).abs() < 1e-9);
    });
}

/// Clients name an authority once, and then by its place in the table that both ends keep.
#[test]
fn the_tables_of_both_ends_agree_after_an_authority_was_replaced() {
    run(async {
        let (_site, mut frames) = site_and_frames().await;
        // Literal fields that enter the table: first the authority, then one more.
        let mut first = vec![0x83, 0x86, 0x41];
        string(b"ipv4:127.0.0.1:1,127.0.0.1:2", &mut first);
        first.push(0x44);
        string(GET.as_bytes(), &mut first);
        first.extend(block(&[("content-type", "application/grpc")]));
        // The places of the two: the newest comes first.
        let mut second = vec![0x83, 0x86, 0xbf, 0xbe];
        second.extend(block(&[("content-type", "application/grpc")]));
        for (stream, request) in [(1, &first), (3, &second), (5, &second)] {
            frames.request(stream, request, 16 << 10, &get()).await;
            assert_found(frames.outcome(stream).await, "by its place");
        }
    });
}

/// A request that HTTP/2 refuses was counted nowhere, and in no log.
#[test]
fn a_request_that_is_refused_below_the_services_is_counted() {
    run(async {
        let (site, mut frames) = site_and_frames().await;
        let wrong = [
            get_with(&[("te", Some("gzip"))], &[]),
            get_with(&[], &[("connection", "close")]),
            get_with(&[], &[("content-length", "many")]),
            get_with(&[(":method", None)], &[]),
            get_with(&[(":scheme", None)], &[]),
            get_with(&[(":scheme", Some("no scheme"))], &[]),
            get_with(&[(":authority", Some(""))], &[]),
        ];
        let mut stream = 1;
        for request in &wrong {
            frames.request(stream, request, 16 << 10, &get()).await;
            assert_eq!(frames.outcome(stream).await, Outcome::Reset(1), "{stream}");
            stream += 2;
        }
        // The connection serves on.
        frames.request(stream, &get_with(&[], &[]), 16 << 10, &get()).await;
        assert_found(frames.outcome(stream).await, "a good one");
        let refused = "tiny_cache_connection_errors_total{kind=\"stream_refused\"}";
        let counted = Scrape::of(&site).await.value(refused);
        assert!((counted - wrong.len() as f64).abs() < 1e-9, "{counted}");
    });
}

/// It was in no log, at any level.
#[test]
fn a_request_that_http2_refuses_is_logged_at_debug() {
    run(async {
        let mut server = Process::start(&[("CACHE_LOG_LEVEL", "DEBUG")]);
        let (mut frames, local) = Frames::connect_and_tell(server.grpc_addr()).await;
        let request = get_with(&[("te", Some("gzip"))], &[]);
        frames.request(1, &request, 16 << 10, &get()).await;
        assert_eq!(frames.outcome(1).await, Outcome::Reset(1));
        let lines = server.logged_until("HTTP/2 refused a request");
        let fields = &lines.last().unwrap()["fields"];
        assert_eq!(fields["stream"], 1);
        assert_eq!(fields["code"], "PROTOCOL_ERROR");
        assert_eq!(fields["peer"], local.to_string());
    });
}

/// 12 KB of metadata in 13 frames ended the connection, and all calls on it.
#[test]
fn metadata_may_come_in_many_small_frames() {
    run(async {
        let (_site, mut frames) = site_and_frames().await;
        let long = "m".repeat(12_000);
        let longer = "m".repeat(16_000);
        let mut stream = 1;
        for (value, size) in [(&long, 1_000), (&longer, 250), (&longer, 16_000), (&long, 64)] {
            let request = get_with(&[], &[("some-metadata", value)]);
            frames.request(stream, &request, size, &get()).await;
            assert_found(frames.outcome(stream).await, &format!("frames of {size}"));
            stream += 2;
        }
        let mut many: Vec<(String, String)> = Vec::new();
        for number in 0..300 {
            many.push((format!("name-{number}"), "value".to_owned()));
        }
        let many: Vec<_> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        frames.request(stream, &get_with(&[], &many), 100, &get()).await;
        assert_found(frames.outcome(stream).await, "many fields");
    });
}

/// It was HTTP's status 431, which gRPC clients report as UNKNOWN.
#[test]
fn too_much_metadata_is_resource_exhausted_and_costs_no_other_call() {
    run(async {
        let site = Deployment::OneWorkerOneShard.start();
        let mut wire = site.wire().await;
        let prefix = bytes::Bytes::from_static(b"\0\0\0\0");
        let (other, mut rest) = wire.stall(SET, prefix).await.unwrap();
        for size in [16_500, 20_000, 60_000] {
            let value = vec![b'm'; size];
            let reply = wire.call(GET, &[("some-metadata", &value)], &get()).await.unwrap();
            assert_eq!(reply.code(), Code::ResourceExhausted, "{size}");
            assert!(reply.status.message().contains("16384"), "{}", reply.status.message());
        }
        // Beyond what the library decodes there is no status of gRPC.
        let value = vec![b'm'; 90_000];
        let answered = wire.begin(GET, &[("some-metadata", &value)], &get()).await.unwrap();
        let reply = timeout(Duration::from_secs(10), answered.headers()).await.unwrap();
        assert!(reply.is_err() || reply.unwrap().initial.get("grpc-status").is_none());

        let set = item("k", "v").encode_to_vec();
        let mut left = vec![u8::try_from(set.len()).unwrap()];
        left.extend(set);
        rest.send_data(left.into(), true).unwrap();
        assert_eq!(other.await.unwrap().status(), 200);
    });
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    run(async {
        let (_site, mut frames) = site_and_frames().await;
        frames.send(HEADERS, 0, 1, &get_with(&[], &[])).await;
        for _ in 0..1_000 {
            frames.send(CONTINUATION, 0, 1, &[]).await;
        }
        let outcome = timeout(Duration::from_secs(10), frames.outcome(1)).await.unwrap();
        assert!(matches!(outcome, Outcome::Ended(_)), "{outcome:?}");
    });
}
