//! The settings of TLS. Those that would have no effect are refused: a port that was meant to be
//! encrypted, or to ask its clients for certificates, must not silently be open.

use super::{
    error::SettingsError,
    parse::{boolean, file},
    values::{PairFiles, TlsFiles},
    variables::Raw,
};

pub(super) fn tls_files(raw: &Raw) -> Result<Option<TlsFiles>, SettingsError> {
    let enabled = boolean(raw.cache_tls_enabled())?;
    let client_auth = raw.cache_tls_require_client_auth();
    let require_client_auth = boolean(client_auth)?;
    let certificate = raw.cache_tls_cert_path();
    let key = raw.cache_tls_key_path();
    let client_ca = raw.cache_tls_client_ca_path();
    let crl = raw.cache_tls_crl_path();
    if !enabled {
        let void =
            [certificate, key, client_ca, crl].into_iter().find(|path| !path.value.is_empty());
        return match void.or(require_client_auth.then_some(client_auth)) {
            Some(void) => Err(void.refuse(
                "it needs CACHE_TLS_ENABLED=true, without which nothing is encrypted; set that, or \
                 unset this",
            )),
            None => Ok(None),
        };
    }
    let of_clients = [client_ca, crl].into_iter().find(|path| !path.value.is_empty());
    if let Some(void) = of_clients.filter(|_| !require_client_auth) {
        return Err(void.refuse(
            "it needs CACHE_TLS_REQUIRE_CLIENT_AUTH=true, without which clients are not asked for \
             a certificate; set that, or unset this",
        ));
    }
    Ok(Some(TlsFiles {
        certificate: file(certificate)?,
        key: file(key)?,
        client_ca: require_client_auth.then(|| file(client_ca)).transpose()?,
        crl: (!crl.value.is_empty()).then(|| file(crl)).transpose()?,
    }))
}

/// Whether the HTTP port speaks TLS, which is all that a health check needs to know.
pub(super) fn health_tls_enabled(raw: &Raw) -> Result<bool, SettingsError> {
    boolean(raw.cache_health_tls_enabled())
}

/// The files of the HTTP port: its own, or those of the gRPC port, which are `shared`.
pub(super) fn health_tls_files(
    raw: &Raw,
    shared: Option<&TlsFiles>,
) -> Result<Option<PairFiles>, SettingsError> {
    let certificate = raw.cache_health_tls_cert_path();
    let key = raw.cache_health_tls_key_path();
    let given = [certificate, key].into_iter().find(|path| !path.value.is_empty());
    if !health_tls_enabled(raw)? {
        return match given {
            Some(void) => Err(void.refuse(
                "it needs CACHE_HEALTH_TLS_ENABLED=true, without which nothing is encrypted; set \
                 that, or unset this",
            )),
            None => Ok(None),
        };
    }
    match (given, shared) {
        (None, Some(TlsFiles { certificate, key, .. })) => {
            Ok(Some(PairFiles { certificate: certificate.clone(), key: key.clone() }))
        }
        (None, None) => Err(raw.cache_health_tls_enabled().refuse(
            "it needs a certificate; set CACHE_HEALTH_TLS_CERT_PATH and CACHE_HEALTH_TLS_KEY_PATH, \
             or CACHE_TLS_ENABLED, whose files it then uses too",
        )),
        (Some(_), _) => Ok(Some(PairFiles { certificate: file(certificate)?, key: file(key)? })),
    }
}
