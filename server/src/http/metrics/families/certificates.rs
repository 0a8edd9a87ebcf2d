//! Until when the certificates of the gRPC port are valid. Absent without TLS.

use crate::{
    http::metrics::family::{Family, Label, Samples, Value, families},
    monitor::Monitor,
    transport::tls::LoadedCertificate,
};

const DAY: f64 = 86_400.0;

pub(super) fn families(monitor: &Monitor) -> Vec<Family> {
    let now = Monitor::timestamp();
    let of_each = |value: &dyn Fn(f64) -> f64| {
        Samples::new(monitor.parts.certificates.iter().map(|loaded| {
            let ends = loaded.certificate.not_after.as_secs_f64();
            (labels(loaded), Value::Number(value(ends)))
        }))
    };
    families! {
        Gauge "tiny_cache_certificate_not_after_timestamp_seconds" = of_each(&|ends| ends);
            "End of the validity of a certificate that the gRPC port uses, in Unix time"
        Gauge "tiny_cache_certificate_days_left" = of_each(&|ends| (ends - now) / DAY);
            "Days until that end; below 0 it has expired"
    }
}

/// The files are the operator's: no peer adds to these labels.
fn labels(LoadedCertificate { kind, certificate }: &LoadedCertificate) -> Vec<Label> {
    vec![
        ("kind", (*kind).into()),
        ("number", certificate.number.to_string().into()),
        ("subject", certificate.subject.clone().into()),
    ]
}
