//! Certificates and keys from PEM. A problem is one line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls::{crypto::ring, pki_types::UnixTime};
use tiny_cache_tls::{
    Authorities, Problem, certificates, check_identity, order_warning, private_key,
};

fn is_one_line(problem: &Problem) {
    assert_eq!(problem.to_string().lines().count(), 1, "{problem:?}");
}

fuzz_target!(|data: &[u8]| {
    let key = private_key(data).inspect_err(is_one_line);
    let Ok(chain) = certificates(data).inspect_err(is_one_line) else { return };
    assert!(!chain.is_empty());
    let _ = Authorities::new(&chain).inspect_err(is_one_line);
    let _ = order_warning(&chain);
    for certificate in &chain {
        let _ = certificate.date_warning(UnixTime::now());
    }
    if let Ok(key) = key
        && let Err(misfit) = check_identity(&chain, &key, &ring::default_provider())
    {
        is_one_line(&misfit.into_problem());
    }
});
