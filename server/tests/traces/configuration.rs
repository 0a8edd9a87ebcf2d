//! The standard variables, as a whole: what reaches the collector with them, and what does not.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use rustix::process::Signal;
use std::time::{Duration, Instant};

use crate::{
    receiver::Receiver,
    support::{
        certificates::Certificates,
        messages::{every_call, key},
        process::Process,
        run,
    },
    traced,
};

#[test]
fn nothing_is_exported_unless_it_is_asked_for() {
    run(async {
        let receiver = Receiver::start().await;
        let endpoint = receiver.endpoint();
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
        for vars in [
            &[("OTEL_TRACES_SAMPLER", "always_on")][..],
            &[endpoint, ("OTEL_TRACES_SAMPLER", "always_on"), ("OTEL_SDK_DISABLED", "true")],
            &[endpoint, ("OTEL_TRACES_SAMPLER", "always_on"), ("OTEL_TRACES_EXPORTER", "none")],
            &[endpoint, ("OTEL_TRACES_SAMPLER", "always_off")],
            &[endpoint, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")],
        ] {
            let mut server = Process::start(vars);
            let mut wire = server.wire().await;
            for call in every_call() {
                wire.call(&call.path(), &[], &call.message).await.unwrap();
            }
            drop(wire);
            // A stop would export what waits.
            server.signal(Signal::TERM);
            let ended = server.end_by(Instant::now() + Duration::from_secs(20)).await;
            assert!(ended.unwrap().success());
            assert_eq!(receiver.now().requests, 0, "{vars:?}");
        }
    });
}

const ATTRIBUTES: (&str, &str) =
    ("OTEL_RESOURCE_ATTRIBUTES", "service.name=carts,service.version=7,team=a%2C%20b");

#[test]
fn the_resource_says_which_service_it_is() {
    run(async {
        let receiver = Receiver::start().await;
        for (vars, name) in [
            (&[][..], "tiny-cache"),
            (&[("OTEL_SERVICE_NAME", "sessions")], "sessions"),
            (&[ATTRIBUTES], "carts"),
            (&[ATTRIBUTES, ("OTEL_SERVICE_NAME", "orders")], "orders"),
        ] {
            let server = traced(&receiver, vars);
            server.connect().await.get(key("k")).await.unwrap();
            let named = |value: &Value| *value == Value::StringValue(name.to_owned());
            let seen = receiver
                .wait(|seen| {
                    seen.spans.iter().any(|seeing| named(&seeing.resource["service.name"]))
                })
                .await;
            let resource = &seen.spans.last().unwrap().resource;
            let text = |key| match resource.get(key) {
                Some(Value::StringValue(text)) => Some(&**text),
                _ => None,
            };
            let (version, team) = if vars.contains(&ATTRIBUTES) {
                ("7", Some("a, b"))
            } else {
                (env!("CARGO_PKG_VERSION"), None)
            };
            assert_eq!(text("service.version"), Some(version));
            assert_eq!(text("team"), team);
            assert!(resource.contains_key("service.instance.id"));
        }
    });
}

#[test]
fn headers_and_compression_reach_the_collector() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(
            &receiver,
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ],
        );
        server.connect().await.get(key("k")).await.unwrap();
        receiver.rpcs(1).await;
        let metadata = receiver.now().metadata;
        assert_eq!(metadata.get("authorization").unwrap(), "Bearer secret");
        assert_eq!(metadata.get("grpc-encoding").unwrap(), "gzip");
    });
}

#[test]
fn a_collector_behind_tls_is_trusted_by_its_authority() {
    run(async {
        let receiver = Receiver::over_tls().await;
        let authority = Certificates::of_this_process().client_authority();
        let server = traced(&receiver, &[("OTEL_EXPORTER_OTLP_CERTIFICATE", &authority)]);
        server.connect().await.get(key("k")).await.unwrap();
        receiver.rpcs(1).await;
    });
}

#[test]
fn a_wrong_value_is_warned_about_and_the_cache_serves() {
    run(async {
        let receiver = Receiver::start().await;
        for (name, value) in [
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=%zz"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://not an address"),
        ] {
            let mut server = traced(&receiver, &[(name, value)]);
            server.connect().await.get(key("k")).await.unwrap();
            let warned = server.logged().into_iter().any(|line| {
                let message = line["fields"]["message"].as_str().unwrap_or_default().to_owned();
                line["level"] == "WARN" && message.contains(value)
            });
            assert!(warned, "{name}: {:#?}", server.logged());
        }
        let missing = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file.pem"),
        ];
        let mut server = Process::start(&missing);
        server.connect().await.get(key("k")).await.unwrap();
        let lines = format!("{:?}", server.logged());
        assert!(lines.contains("traces are off: cannot read /no/such/file.pem"), "{lines}");
    });
}
