//! Keys and namespaces are in spans only when that is asked for.

use opentelemetry_proto::tonic::common::v1::any_value::Value;

use crate::{
    receiver::Receiver,
    support::{
        messages::{every_call, item, items, key, keys, within},
        run,
    },
    traced,
};

#[test]
fn no_key_reaches_a_span_unless_asked_for() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let mut wire = server.wire().await;
        let calls = every_call();
        for call in &calls {
            let metadata = [("x-cache-namespace", b"secret-tenant".as_slice())];
            wire.call(&call.path(), &metadata, &call.message).await.unwrap();
        }
        let all = format!("{:?}", receiver.rpcs(calls.len()).await);
        assert!(!all.contains("every-call"), "{all}");
        assert!(!all.contains("secret-tenant"), "{all}");
    });
}

#[test]
fn with_trace_keys_a_span_names_what_it_was_about() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[("CACHE_TRACE_KEYS", "true")]);
        let mut cache = server.connect().await;
        cache.set(within("team", item("one", "v"))).await.unwrap();
        cache.multi_get(keys(["one", "two"])).await.unwrap();
        cache.get(key("")).await.unwrap_err();
        // A hundred keys are recorded of a batch, not ten thousand.
        let many = (0..1000).map(|n| item(format!("key {n}"), "v"));
        cache.multi_set(items(many)).await.unwrap();

        let spans = receiver.rpcs(4).await;
        let keys = |index: usize| match &spans[index].attributes()["tiny_cache.keys"] {
            Value::ArrayValue(array) => {
                let texts = array.values.iter().map(|value| match &value.value {
                    Some(Value::StringValue(text)) => text.clone(),
                    other => panic!("{other:?}"),
                });
                texts.collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(keys(0), ["one"]);
        assert_eq!(spans[0].text("tiny_cache.namespace"), "team");
        assert_eq!(keys(1), ["one", "two"]);
        assert!(!spans[1].attributes().contains_key("tiny_cache.namespace"));
        assert_eq!(keys(2), [""]);
        assert_eq!(keys(3).len(), 100);
    });
}
