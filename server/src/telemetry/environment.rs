//! Reads the standard `OTEL_` variables.
//!
//! The SDK reads most of them too, but passes over a wrong value without a word. The
//! specification asks for a warning and the default
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

mod variables;

use std::{ffi::OsString, ops::RangeInclusive, path::PathBuf, time::Duration};

use self::variables::Variables;
use super::{
    attributes::SERVICE_NAME,
    config::{CollectorTls, OtelConfig},
    resource,
    sampling::{Root, Sampling},
};

/// The endpoint where only the exporter is named.
const DEFAULT_ENDPOINT: &str = "http://localhost:4317";

/// The part of traces that is sampled where no sampler is named.
const DEFAULT_RATIO: f64 = 0.01;

/// The specification's defaults for batches.
const DEFAULT_QUEUE: usize = 2048;
const DEFAULT_BATCH: usize = 512;
const DEFAULT_SCHEDULE_DELAY: Duration = Duration::from_secs(5);
const DEFAULT_BATCH_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Spans that a queue may have. Its places, of some 400 bytes, are allocated at the start.
const QUEUES: RangeInclusive<usize> = 1..=100_000;

/// Characters of a text that a caller chose. The specification has no limit, but a request id
/// may have 16 KiB, and thousands of spans may wait.
const DEFAULT_TEXT: usize = 1024;

/// The specification's default.
const DEFAULT_ATTRIBUTES: u32 = 128;

/// What was read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Read {
    /// None: no span is made.
    pub(super) config: Option<OtelConfig>,
    pub(super) warnings: Vec<String>,
}

/// Reads the variables out of an environment.
pub(super) fn read(
    vars: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Read {
    let mut variables = Variables::collect(vars);
    let config = variables.config();
    Read { config, warnings: variables.warnings }
}

impl Variables {
    fn config(&mut self) -> Option<OtelConfig> {
        if self.flag("OTEL_SDK_DISABLED") {
            return None;
        }
        let endpoint = self.endpoint()?;
        if !self.speaks_grpc() {
            return None;
        }
        let endpoint = self.with_scheme(endpoint)?;
        let queue = self.number(&["OTEL_BSP_MAX_QUEUE_SIZE"], QUEUES, DEFAULT_QUEUE);
        let batch = self.number(&["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], 1..=usize::MAX, DEFAULT_BATCH);
        let batch_timeout = self.time(&["OTEL_BSP_EXPORT_TIMEOUT"], DEFAULT_BATCH_TIMEOUT);
        let request_timeout = Self::names_of_exporter("TIMEOUT");
        let text = ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"];
        let attributes = ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"];
        Some(OtelConfig {
            tls: self.tls(&endpoint),
            endpoint,
            sampling: self.sampling(),
            queue,
            // A batch that is larger than the queue would never be full.
            batch: batch.min(queue),
            schedule_delay: self.time(&["OTEL_BSP_SCHEDULE_DELAY"], DEFAULT_SCHEDULE_DELAY),
            request_timeout: self
                .time(&request_timeout, DEFAULT_REQUEST_TIMEOUT)
                .min(batch_timeout),
            batch_timeout,
            resource: self.resource(),
            gzip: self.gzip(),
            headers: self.of_exporter("HEADERS").map_or(String::new(), |(_, headers)| headers),
            longest_text: self.number(&text, 0..=usize::MAX, DEFAULT_TEXT),
            most_attributes: self.number(&attributes, 0..=u32::MAX, DEFAULT_ATTRIBUTES),
        })
    }

    /// `OTEL_SERVICE_NAME` wins over the name among the attributes.
    fn resource(&mut self) -> Vec<(String, String)> {
        let list = self.get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let mut attributes = resource::parse(&list).unwrap_or_else(|entry| {
            let remedy = "every attribute in this variable is ignored; allowed: \
                          key=value,key=value with both percent-encoded";
            self.warn("OTEL_RESOURCE_ATTRIBUTES", entry, remedy);
            Vec::new()
        });
        attributes
            .extend(self.get("OTEL_SERVICE_NAME").map(|name| (SERVICE_NAME.to_owned(), name)));
        attributes
    }

    /// Where spans go: nowhere, unless an endpoint or the exporter is named.
    fn endpoint(&mut self) -> Option<String> {
        let endpoint = self.of_exporter("ENDPOINT").map(|(_, endpoint)| endpoint);
        match self.get("OTEL_TRACES_EXPORTER") {
            None => endpoint,
            // Others beside it are left out.
            Some(exporters) if exporters.split(',').any(|exporter| exporter.trim() == "otlp") => {
                Some(endpoint.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()))
            }
            Some(exporter) if exporter == "none" => None,
            Some(exporter) => {
                self.warn("OTEL_TRACES_EXPORTER", &exporter, "traces are off; allowed: otlp, none");
                None
            }
        }
    }

    fn speaks_grpc(&mut self) -> bool {
        match self.of_exporter("PROTOCOL") {
            Some((name, protocol)) if protocol != "grpc" => {
                let remedy = "traces are off: this server exports over gRPC; set it to grpc, and \
                              the endpoint to the collector's gRPC port, which is 4317 as a rule";
                self.warn(&name, &protocol, remedy);
                false
            }
            _ => true,
        }
    }

    fn gzip(&mut self) -> bool {
        match self.of_exporter("COMPRESSION") {
            Some((_, kind)) if kind == "gzip" => true,
            None => false,
            Some((_, kind)) if kind == "none" => false,
            Some((name, kind)) => {
                self.warn(&name, &kind, "nothing is compressed; allowed: gzip, none");
                false
            }
        }
    }

    /// An endpoint without a scheme is https, unless the variable INSECURE is true.
    fn with_scheme(&mut self, endpoint: String) -> Option<String> {
        match endpoint.split_once("://") {
            Some(("http" | "https", _)) => Some(endpoint),
            Some((scheme, _)) => {
                // The default has a scheme, so the endpoint was named.
                let (name, _) = self.of_exporter("ENDPOINT")?;
                self.warn(&name, scheme, "traces are off; allowed: http, https");
                None
            }
            None => {
                let insecure = self
                    .of_exporter("INSECURE")
                    .is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"));
                Some(format!("{}://{endpoint}", if insecure { "http" } else { "https" }))
            }
        }
    }

    fn tls(&mut self, endpoint: &str) -> Option<CollectorTls> {
        if !endpoint.starts_with("https://") {
            return None;
        }
        let authorities = self.of_exporter("CERTIFICATE").map(|(_, path)| PathBuf::from(path));
        let [certificate, key] =
            ["CLIENT_CERTIFICATE", "CLIENT_KEY"].map(|kind| self.of_exporter(kind));
        let identity = match (certificate, key) {
            (Some((_, certificate)), Some((_, key))) => Some((certificate.into(), key.into())),
            (None, None) => None,
            (Some((name, path)), None) | (None, Some((name, path))) => {
                self.warn(
                    &name,
                    &path,
                    "it is ignored: a certificate needs its key, and a key its certificate",
                );
                None
            }
        };
        Some(CollectorTls { authorities, identity })
    }

    fn sampling(&mut self) -> Sampling {
        let follows_parent = self.follows_parent();
        let named = self.get("OTEL_TRACES_SAMPLER").map(|name| name.to_ascii_lowercase());
        let name = named.as_deref().unwrap_or("parentbased_traceidratio");
        let kind = name.strip_prefix("parentbased_");
        let (parent_based, root) = match kind.unwrap_or(name) {
            "always_on" => (kind.is_some(), Root::Always),
            "always_off" => (kind.is_some(), Root::Never),
            "traceidratio" => (kind.is_some(), Root::Ratio(self.ratio(named.is_some()))),
            unknown => {
                let allowed = "1 % is sampled, or as the caller has decided; allowed: always_on, \
                               always_off, traceidratio, each also with parentbased_ in front";
                self.warn("OTEL_TRACES_SAMPLER", unknown, allowed);
                (true, Root::Ratio(DEFAULT_RATIO))
            }
        };
        Sampling { parent_based, follows_parent, root }
    }

    fn follows_parent(&mut self) -> bool {
        let Some(text) = self.get("OTEL_PROPAGATORS") else { return true };
        let mut propagators = text.split(',').map(str::trim);
        let follows = propagators.any(|propagator| propagator == "tracecontext");
        if !follows && text != "none" {
            self.warn(
                "OTEL_PROPAGATORS",
                &text,
                "callers' contexts are left alone; allowed: tracecontext, none",
            );
        }
        follows
    }

    /// The sampler's argument. Without one a ratio sampler that is named takes the
    /// specification's 1.
    fn ratio(&mut self, named: bool) -> f64 {
        let fallback = if named { 1.0 } else { DEFAULT_RATIO };
        let Some(text) = self.get("OTEL_TRACES_SAMPLER_ARG") else { return fallback };
        match text.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
            _ => {
                let remedy = format!("{fallback} is taken; allowed: a number from 0 to 1");
                self.warn("OTEL_TRACES_SAMPLER_ARG", &text, &remedy);
                fallback
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

    fn config(vars: &[(&str, &str)]) -> OtelConfig {
        let read = read(vars.iter().copied());
        assert_eq!(read.warnings, Vec::<String>::new());
        read.config.unwrap()
    }

    #[test]
    fn without_an_endpoint_there_is_no_plan() {
        for vars in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "cache")],
            &[("OTEL_TRACES_SAMPLER", "always_on")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")],
            &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert_eq!(read(vars.iter().copied()), Read::default(), "{vars:?}");
        }
    }

    #[test]
    fn an_endpoint_alone_samples_one_percent_or_as_the_caller_has_decided() {
        let config = config(&[ENDPOINT]);
        assert_eq!(config.endpoint, "http://collector:4317");
        let root = Root::Ratio(0.01);
        assert_eq!(config.sampling, Sampling { parent_based: true, follows_parent: true, root });
        assert_eq!(config.tls, None);
        assert_eq!(config.queue, 2048);
    }

    #[test]
    fn the_exporter_alone_has_the_default_endpoint() {
        assert_eq!(config(&[("OTEL_TRACES_EXPORTER", "otlp")]).endpoint, DEFAULT_ENDPOINT);
    }

    #[test]
    fn a_password_in_the_endpoint_is_not_shown() {
        let config =
            config(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@collector:4317")]);
        assert_eq!(config.shown_endpoint(), "http://***@collector:4317");
    }

    #[test]
    fn what_is_meant_for_traces_wins() {
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317");
        assert_eq!(config(&[ENDPOINT, traces]).endpoint, "http://traces:4317");
    }

    #[test]
    fn every_sampler_of_the_specification_is_known() {
        for (name, parent_based, root) in [
            ("always_on", false, Root::Always),
            ("always_off", false, Root::Never),
            ("traceidratio", false, Root::Ratio(0.25)),
            ("parentbased_always_on", true, Root::Always),
            ("parentbased_always_off", true, Root::Never),
            ("parentbased_traceidratio", true, Root::Ratio(0.25)),
        ] {
            let config = config(&[
                ENDPOINT,
                ("OTEL_TRACES_SAMPLER", name),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ]);
            let expected = Sampling { parent_based, follows_parent: true, root };
            assert_eq!(config.sampling, expected, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_warned_about_with_name_value_and_remedy() {
        for (name, value) in [
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "1000000000"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "18446744073709551615"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_RESOURCE_ATTRIBUTES", "broken"),
            ("OTEL_BSP_SCHEDULE_DELAY", "0"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
            ("OTEL_PROPAGATORS", "tracecontex"),
            ("OTEL_SDK_DISABLED", "yes"),
        ] {
            let read = read([ENDPOINT, (name, value)]);
            let [warning] = &read.warnings[..] else { panic!("{name}: {:?}", read.warnings) };
            assert!(warning.contains(name), "{warning}");
            assert!(warning.contains(value.trim_start_matches("parentbased_")), "{warning}");
            assert!(warning.contains("allowed") || warning.contains("set it"), "{warning}");
        }
    }

    #[test]
    fn a_propagator_other_than_trace_context_leaves_the_caller_out() {
        for (propagators, follows) in [
            ("tracecontext,baggage", true),
            ("b3", false),
            ("none", false),
            ("baggage, tracecontext", true),
        ] {
            let read = read([ENDPOINT, ("OTEL_PROPAGATORS", propagators)]);
            assert_eq!(read.config.unwrap().sampling.follows_parent, follows, "{propagators}");
            assert_eq!(read.warnings.is_empty(), propagators != "b3", "{propagators}");
        }
    }

    /// The SDK has it the other way round.
    #[test]
    fn the_services_name_wins_over_the_name_among_the_attributes() {
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=carts,team=a%20b");
        let read = |vars: &[(&str, &str)]| {
            let resource = resource::resource(&config(vars).resource);
            ["service.name", "team", "service.version"]
                .map(|key| resource.get(&key.into()).map(|value| value.to_string()))
        };
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        let [name, team] = ["carts", "a b"].map(|text| Some(text.to_owned()));
        assert_eq!(read(&[ENDPOINT, attributes]), [name, team.clone(), version.clone()]);
        let name = Some("sessions".to_owned());
        let vars = [ENDPOINT, attributes, ("OTEL_SERVICE_NAME", "sessions")];
        assert_eq!(read(&vars), [name, team, version.clone()]);
        let name = Some("tiny-cache".to_owned());
        assert_eq!(read(&[ENDPOINT]), [name, None, version]);
    }

    #[test]
    fn a_wrong_entry_discards_all_attributes_but_not_the_services_name() {
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "team=a,service.name=b%,zone=c");
        let read = read([ENDPOINT, attributes, ("OTEL_SERVICE_NAME", "sessions")]);
        let expected = [(SERVICE_NAME.to_owned(), "sessions".to_owned())];
        assert_eq!(read.config.unwrap().resource, expected);
        assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    }

    #[test]
    fn tls_is_for_https_and_for_endpoints_without_a_scheme() {
        let tls = |endpoint, insecure| {
            config(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
                ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ])
            .tls
        };
        let expected = CollectorTls { authorities: Some("/ca.pem".into()), identity: None };
        assert_eq!(tls("https://collector:4317", "true"), Some(expected.clone()));
        assert_eq!(tls("collector:4317", "false"), Some(expected));
        assert_eq!(tls("collector:4317", "true"), None);
        assert_eq!(tls("http://collector:4317", "false"), None);
    }
}
