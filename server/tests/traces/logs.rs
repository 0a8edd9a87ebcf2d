//! Log lines say to which trace they belong.

use serde_json::Value;

use crate::{
    receiver::Receiver,
    support::{
        messages::{Call, key},
        process::Process,
        run,
    },
    traced,
};

/// The line that tells of an answered request, once it is there.
async fn answered(server: &mut Process, request_id: &str) -> Value {
    loop {
        let line = server.logged().into_iter().find(|line| {
            let fields = &line["fields"];
            fields["message"] == "answered" && fields["request_id"] == request_id
        });
        match line {
            Some(line) => return line["fields"].clone(),
            None => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
        }
    }
}

#[test]
fn a_line_about_a_request_carries_its_ids() {
    run(async {
        let receiver = Receiver::start().await;
        let mut server = traced(&receiver, &[("CACHE_LOG_LEVEL", "DEBUG")]);
        let call = Call::new("Get", &key("k"));
        let mut wire = server.wire().await;
        wire.call(&call.path(), &[("x-request-id", b"id-7")], &call.message).await.unwrap();
        let span = receiver.rpcs(1).await.remove(0).span;
        let line = answered(&mut server, "id-7").await;
        assert_eq!(line["trace_id"], hex::encode(&span.trace_id));
        assert_eq!(line["span_id"], hex::encode(&span.span_id));
        assert_eq!(line["method"], "cache.CacheService/Get");
        assert_eq!(line["code"], "OK");
    });
}

/// "Who does it?" The line names the caller's address and the namespace, bounded, as they came.
#[test]
fn a_line_about_a_request_says_who_asked_and_in_which_namespace() {
    run(async {
        let mut server = Process::start(&[("CACHE_LOG_LEVEL", "DEBUG")]);
        let call = Call::new("Get", &key("k"));
        let mut wire = server.wire().await;
        let long = "n".repeat(1000);
        for (id, namespace, shown) in
            [("a", "team", "team"), ("b", "", ""), ("c", &long, &long[..64])]
        {
            let metadata =
                [("x-request-id", id.as_bytes()), ("x-cache-namespace", namespace.as_bytes())];
            wire.call(&call.path(), &metadata, &call.message).await.unwrap();
            let line = answered(&mut server, id).await;
            assert_eq!(line["namespace"], shown);
            assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        }
    });
}

/// The id was quoted twice, and a backslash at its end left the text open: whoever read the
/// log saw fields that nobody had written.
#[test]
fn a_request_id_cannot_forge_fields() {
    run(async {
        let forged = r#"a\" trace_id=deadbeef z=\"#;
        let mut server = Process::start(&[("CACHE_LOG_LEVEL", "DEBUG")]);
        let call = Call::new("Get", &key("k"));
        let mut wire = server.wire().await;
        wire.call(&call.path(), &[("x-request-id", forged.as_bytes())], &call.message)
            .await
            .unwrap();
        assert_eq!(answered(&mut server, forged).await["request_id"], forged);
    });
}

#[test]
fn a_request_without_a_span_has_its_request_id_alone() {
    run(async {
        let mut server = Process::start(&[("CACHE_LOG_LEVEL", "DEBUG")]);
        let call = Call::new("Get", &key(""));
        let mut wire = server.wire().await;
        wire.call(&call.path(), &[("x-request-id", b"id-8")], &call.message).await.unwrap();
        let line = answered(&mut server, "id-8").await;
        assert_eq!(line["code"], "INVALID_ARGUMENT");
        assert!(line.get("trace_id").is_none() && line.get("span_id").is_none(), "{line}");
    });
}
