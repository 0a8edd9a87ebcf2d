//! Says at the start until when the certificates of the gRPC port are valid. Knows nothing of the
//! files that they came from.

use std::time::{SystemTime, UNIX_EPOCH};

use tracing::{info, warn};

use crate::transport::tls::LoadedCertificate;

const DAY: i64 = 86_400;

/// Logs one line for each kind, with the certificate that expires first, and warns about one that
/// clients refuse.
pub(crate) fn log_start(certificates: &[LoadedCertificate]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for kind in ["server", "client_ca"] {
        let all = || certificates.iter().filter(|loaded| loaded.kind == kind);
        let Some(first) = all().map(|loaded| &loaded.certificate).min_by_key(|of| of.not_after)
        else {
            continue;
        };
        let left = first.not_after.as_secs().cast_signed() - now.as_secs().cast_signed();
        info!(
            kind,
            count = all().count(),
            number = first.number,
            subject = first.subject,
            expires = first.expiry,
            days_left = left.div_euclid(DAY),
            "certificates read; the first to expire"
        );
    }
    let own = certificates.iter().find(|loaded| loaded.kind == "server");
    if let Some(LoadedCertificate { certificate, .. }) =
        own.filter(|own| own.certificate.is_authority)
    {
        warn!(
            "CACHE_TLS_CERT_PATH: certificate 1 ({}) is that of an authority (CA:TRUE), which \
             rustls and the clients built on it refuse; let it sign one for the server (CA:FALSE), \
             and put that first",
            certificate.subject
        );
    }
}
