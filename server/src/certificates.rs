//! Has the certificates of the ports read again when they change, and says until when they are
//! valid: at the start, and whenever others are in use.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::{info, warn};

use crate::{
    reload::{Change, Outcome, Reloader},
    sync::{Mutex, PoisonError},
    transport::tls::{InUse, LoadedCertificate, Renewed, Shown, Subject, Tls},
};

const DAY: i64 = 86_400;

/// Has the files of `tls` read again when they change.
pub(crate) fn register(mut tls: Tls, reloader: &mut Reloader) {
    let subjects: Vec<(Subject, Vec<PathBuf>)> = tls.subjects();
    let tls = Arc::new(Mutex::new(tls));
    for (subject, paths) in subjects {
        let tls = tls.clone();
        reloader.register(subject.name(), paths, move || renew(&tls, subject));
    }
}

fn renew(tls: &Mutex<Tls>, subject: Subject) -> Outcome {
    let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
    let Renewed { outcome, kinds, warnings, ended } = tls.renew(subject);
    for warning in warnings {
        warn!("{warning}");
    }
    log(&tls.shown(), &kinds);
    if ended > 0 {
        info!(connections = ended, "connections end: their certificate is not accepted any more");
    }
    match outcome {
        Ok(true) => Ok(Change::Changed),
        Ok(false) => Ok(Change::Same),
        Err(problem) => Err(problem.to_string()),
    }
}

/// Logs what the ports use at the start.
pub(crate) fn log_start(shown: &Shown) {
    log(shown, &["server", "client_ca", "http"]);
}

/// Logs one line for each kind, with the certificate that expires first, and warns about one that
/// clients refuse.
fn log(shown: &Shown, kinds: &[&'static str]) {
    let InUse { certificates, .. } = &**shown.load();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for kind in kinds {
        let all = || certificates.iter().filter(|loaded| loaded.kind == *kind);
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
        warn_of_authority(kind, all().next());
    }
}

fn warn_of_authority(kind: &str, first: Option<&LoadedCertificate>) {
    let variable = match kind {
        "server" => "CACHE_TLS_CERT_PATH",
        "http" => "CACHE_HEALTH_TLS_CERT_PATH",
        _ => return,
    };
    if let Some(LoadedCertificate { certificate, .. }) =
        first.filter(|own| own.certificate.is_authority)
    {
        warn!(
            "{variable}: certificate 1 ({}) is that of an authority (CA:TRUE), which rustls and \
             the clients built on it refuse; let it sign one for the server (CA:FALSE), and put \
             that first",
            certificate.subject
        );
    }
}
