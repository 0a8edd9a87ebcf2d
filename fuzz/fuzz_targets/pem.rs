//! Certificates, keys and revocation lists from PEM. A problem is one line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls::{crypto::ring, pki_types::UnixTime};
use tiny_cache_tls::{
    Authorities, Problem, certificates, check_identity, order_warning, private_key,
    revocation_lists,
};

fn is_one_line(problem: &Problem) {
    assert_eq!(problem.to_string().lines().count(), 1, "{problem:?}");
}

fuzz_target!(|data: &[u8]| {
    let key = private_key(data).inspect_err(is_one_line);
    let lists = revocation_lists(data).inspect_err(is_one_line).unwrap_or_default();
    for list in &lists {
        let _ = list.date_warning(UnixTime::now());
    }
    let Ok(chain) = certificates(data).inspect_err(is_one_line) else { return };
    assert!(!chain.is_empty());
    let _ = Authorities::new(&chain).inspect_err(is_one_line);
    let _ = order_warning(&chain);
    for certificate in &chain {
        let _ = certificate.date_warning(UnixTime::now());
        for list in lists.iter().filter(|list| list.is_of(certificate)) {
            let _ = list.is_signed_by(certificate, &ring::default_provider());
        }
    }
    if let Ok(key) = key
        && let Err(misfit) = check_identity(&chain, &key, &ring::default_provider())
    {
        is_one_line(&misfit.into_problem());
    }
});
