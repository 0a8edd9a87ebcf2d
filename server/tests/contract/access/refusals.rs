//! What comes before a refusal, and what it leaves.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, header::AUTHORIZATION};
use serde_json::Value;
use tonic::Code;

use crate::support::{
    Deployment,
    http::sample,
    messages::every_call,
    process::Process,
    run,
    wire::{Wire, call, framed},
};

use super::callers::{Files, KNOWN, claims, now, token};

crate::rows![
    a_large_set_is_refused_by_its_head_alone,
    metadata_that_repeats_is_refused_whoever_asks,
    refusals_are_counted_by_their_reason,
    a_refused_call_takes_no_place_from_others,
];

const SET: &str = "/cache.CacheService/Set";

fn bearer(name: &str) -> String {
    format!("Bearer {}", token(name))
}

/// Nothing of the message is sent but its length, and nothing of it is waited for.
async fn a_large_set_is_refused_by_its_head_alone(on: Deployment) {
    let files = Files::new();
    let site = files.start(on);
    let prefix = framed(false, &vec![0; 2 << 20]).slice(..5);
    let reader = bearer("reader");
    let refused = async |authorization: Option<&str>, code: Code| {
        let mut wire = site.wire().await;
        let mut metadata = vec![("x-cache-namespace", &b"shop"[..])];
        metadata.extend(authorization.map(|value| ("authorization", value.as_bytes())));
        let begun = wire.stall_with(SET, &metadata, prefix.clone()).await.unwrap();
        let (response, _held_open) = begun;
        let head = response.await.unwrap().into_parts().0;
        let status = tonic::Status::from_header_map(&head.headers).unwrap();
        assert_eq!(status.code(), code, "{status:?}");
    };
    tokio::join!(
        refused(None, Code::Unauthenticated),
        refused(Some("Bearer nonsense"), Code::Unauthenticated),
        refused(Some(&reader), Code::PermissionDenied),
    );
}

async fn metadata_that_repeats_is_refused_whoever_asks(on: Deployment) {
    let files = Files::new();
    let site = files.start(on);
    let mut wire = site.wire().await;
    let ops = bearer("ops");
    for call in every_call() {
        for metadata in [
            &[("authorization", &*ops), ("authorization", &ops)][..],
            &[("authorization", "Bearer nonsense"), ("authorization", &ops)],
            &[("authorization", &ops), ("x-cache-namespace", "a"), ("x-cache-namespace", "b")],
            &[("x-cache-namespace", "a"), ("x-cache-namespace", "a")],
        ] {
            let metadata: Vec<_> =
                metadata.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            let reply = wire.call(&call.path(), &metadata, &call.message).await.unwrap();
            assert_eq!(reply.code(), Code::InvalidArgument, "{}: {reply:?}", call.rpc);
        }
    }
}

async fn refusals_are_counted_by_their_reason(on: Deployment) {
    const REASONS: [&str; 6] =
        ["no_credential", "bad_credential", "expired", "no_identity", "no_right", "http"];
    let files = Files::new();
    let site = files.start(on);
    let counts = async || {
        let page = site.http("/metrics").await.body;
        REASONS.map(|reason| {
            let name = format!("tiny_cache_access_refused_total{{reason=\"{reason}\"}}");
            sample(&page, &name).unwrap()
        })
    };
    assert_eq!(counts().await, [0.0; 6]);
    let mut wire = site.wire().await;
    let ask = async |wire: &mut Wire, authorization: Option<String>| {
        let mut request = call("/cache.CacheService/Get");
        if let Some(value) = authorization {
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
        }
        let body = [Bytes::copy_from_slice(&framed(false, &[]))];
        wire.send(request, &body, None).await.unwrap().reply().await.unwrap()
    };
    ask(&mut wire, None).await;
    ask(&mut wire, None).await;
    ask(&mut wire, Some("Bearer nonsense".to_owned())).await;
    ask(&mut wire, Some(bearer("reader"))).await;
    assert_eq!(counts().await, [2.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
}

/// While the rest of a refused call was read and dropped, the call kept one of the places of
/// `CACHE_MAX_IN_FLIGHT`: callers without a right could take them all.
async fn a_refused_call_takes_no_place_from_others(on: Deployment) {
    let files = Files::new();
    let site = files.start_with(on, &[("CACHE_MAX_IN_FLIGHT", "1")]);
    let mut stranger = site.wire().await;
    let prefix = framed(false, &vec![0; 2 << 20]).slice(..5);
    let metadata = [("x-cache-namespace", &b"shop"[..])];
    let (_response, _held_open) = stranger.stall_with(SET, &metadata, prefix).await.unwrap();
    stranger.ping().await.unwrap();
    // A small request may be gathered for a moment before it is judged.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut wire = site.wire().await;
    let reader = bearer("reader");
    let metadata = [("x-cache-namespace", &b"shop"[..]), ("authorization", reader.as_bytes())];
    let get = every_call().swap_remove(0);
    for _ in 0..20 {
        let reply = wire.call(&get.path(), &metadata, &get.message).await.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{reply:?}");
    }
}

/// What a gate remembers of a token ends with it, on a connection that stays.
#[test]
fn a_jwt_expires_on_an_open_connection() {
    run(async {
        let files = Files::new();
        let site = files.start(Deployment::SeveralWorkersAndShards);
        let mut wire = site.wire().await;
        // It has 3 s left: clocks may differ by 30 s.
        let expiry = serde_json::json!({ "exp": now() - 27 });
        let bearer = format!("Bearer {}", KNOWN.sign(&claims("alice", expiry)));
        let metadata = [("authorization", bearer.as_bytes()), ("x-cache-namespace", &b"shop"[..])];
        let get = every_call().swap_remove(0);
        let give_up = Instant::now() + Duration::from_secs(60);
        let status = loop {
            let reply = wire.call(&get.path(), &metadata, &get.message).await.unwrap();
            if reply.code() != Code::Ok {
                break reply.status;
            }
            assert!(Instant::now() < give_up, "it never expires");
        };
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(status.message(), "The token has expired");
    });
}

fn is_refusal(line: &Value) -> bool {
    line["fields"]["message"].as_str().is_some_and(|text| text.starts_with("access refused"))
}

/// The log says who was refused what, a few times a second, and never shows a token.
#[test]
fn a_refusal_is_logged_with_who_and_where_and_without_the_token() {
    run(async {
        let files = Files::new();
        let vars = files.vars();
        let vars: Vec<_> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut server = Process::start(&vars);
        let mut wire = server.wire().await;
        let (reader, secret) = (bearer("reader"), "Bearer a-secret-that-nobody-knows");
        let get = every_call().swap_remove(0);
        let mut ask = async |authorization: &str, namespace: &[u8]| {
            let metadata = [
                ("authorization", authorization.as_bytes()),
                ("x-cache-namespace", namespace),
                ("x-request-id", b"id-7"),
            ];
            wire.call(&get.path(), &metadata, &get.message).await.unwrap().status
        };
        let status = ask(&reader, b" other ").await;
        assert_eq!(status.message(), "token:reader has no right to read in the namespace other");
        let status = ask(&reader, b"").await;
        assert_eq!(status.message(), "token:reader has no right to read in the shared keyspace");
        for _ in 0..50 {
            let status = ask(secret, b"shop").await;
            assert_eq!(
                status.message(),
                "The token is not known to this server, nor signed by a known key"
            );
        }
        // The first ones are logged, and the log is written by a thread of its own.
        let give_up = Instant::now() + Duration::from_secs(30);
        let (lines, refused) = loop {
            let lines = server.logged();
            let refused: Vec<_> = lines.iter().filter(|line| is_refusal(line)).cloned().collect();
            if refused.len() > 2 {
                break (lines, refused);
            }
            assert!(Instant::now() < give_up, "{lines:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let first = &refused[0]["fields"];
        for (field, value) in [
            ("reason", "no_right"),
            ("identity", "token:reader"),
            ("right", "read"),
            ("namespace", "other"),
            ("method", "cache.CacheService/Get"),
            ("request_id", "id-7"),
        ] {
            assert_eq!(first[field], value, "{first}");
        }
        assert!(first["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{first}");
        assert_eq!(refused[1]["fields"]["namespace"], "", "{:?}", refused[1]);
        assert!(refused.len() < 52, "not all of them are logged");
        let all = format!("{lines:?}");
        assert!(!all.contains("a-secret-that"), "{all}");
        assert!(!all.contains("token-of-reader"), "{all}");
    });
}
