//! Until when the certificates of the ports are valid, and revocation lists the latest. Absent
//! without TLS.

use crate::{
    http::metrics::family::{Family, Label, Samples, Value, families},
    monitor::Monitor,
    transport::tls::LoadedCertificate,
};

const DAY: f64 = 86_400.0;

pub(super) fn families(monitor: &Monitor) -> Vec<Family> {
    let now = Monitor::timestamp();
    let in_use = monitor.parts.certificates.load();
    let of_each = |value: &dyn Fn(f64) -> f64| {
        Samples::new(in_use.certificates.iter().map(|loaded| {
            let ends = loaded.certificate.not_after.as_secs_f64();
            (labels(loaded), Value::Number(value(ends)))
        }))
    };
    let due = in_use.due().map(|(list, due)| {
        let labels: Vec<Label> = vec![
            ("number", list.number.to_string().into()),
            ("issuer", list.issuer.clone().into()),
        ];
        (labels, due)
    });
    families! {
        Gauge "tiny_cache_certificate_not_after_timestamp_seconds" = of_each(&|ends| ends);
            "End of the validity of a certificate that a port uses, in Unix time"
        Gauge "tiny_cache_certificate_days_left" = of_each(&|ends| (ends - now) / DAY);
            "Days until that end; below 0 it has expired"
        Gauge "tiny_cache_crl_next_update_timestamp_seconds" = Samples::new(due);
            "When the next revocation list of an authority is due, in Unix time"
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
