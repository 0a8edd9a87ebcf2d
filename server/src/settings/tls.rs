//! The settings of TLS. Those that would have no effect are refused: a port that was meant to be
//! encrypted, or to ask its clients for certificates, must not silently be open.

use super::{
    error::SettingsError,
    parse::{boolean, file},
    values::TlsFiles,
    variables::Raw,
};

pub(super) fn tls_files(raw: &Raw) -> Result<Option<TlsFiles>, SettingsError> {
    let enabled = boolean(raw.cache_tls_enabled())?;
    let client_auth = raw.cache_tls_require_client_auth();
    let require_client_auth = boolean(client_auth)?;
    let certificate = raw.cache_tls_cert_path();
    let key = raw.cache_tls_key_path();
    let client_ca = raw.cache_tls_client_ca_path();
    if !enabled {
        let void = [certificate, key, client_ca].into_iter().find(|path| !path.value.is_empty());
        return match void.or(require_client_auth.then_some(client_auth)) {
            Some(void) => Err(void.refuse(
                "it needs CACHE_TLS_ENABLED=true, without which nothing is encrypted; set that, or \
                 unset this",
            )),
            None => Ok(None),
        };
    }
    if !require_client_auth && !client_ca.value.is_empty() {
        return Err(client_ca.refuse(
            "it needs CACHE_TLS_REQUIRE_CLIENT_AUTH=true, without which clients are not asked for \
             a certificate; set that, or unset this",
        ));
    }
    Ok(Some(TlsFiles {
        certificate: file(certificate)?,
        key: file(key)?,
        client_ca: require_client_auth.then(|| file(client_ca)).transpose()?,
    }))
}
