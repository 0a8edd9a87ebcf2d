//! The settings of the second tier. Those that would have no effect are refused: entries that were
//! meant to outlive a restart must not silently be in memory alone.

use std::time::Duration;

use crate::tier::{TierFiles, TierSettings};

use super::{
    error::SettingsError,
    parse::{Given, boolean, choice, path, seconds},
    variables::Raw,
};

/// The shortest time for an answer.
const SHORTEST: Duration = Duration::from_millis(10);

/// Longest prefix. It is in each name, and in each word about a change.
const LONGEST_PREFIX: usize = 64;

pub(super) fn tier(raw: &Raw) -> Result<Option<TierSettings>, SettingsError> {
    let backends = [("memory", false), ("redis", true), ("valkey", true)];
    let url = raw.cache_backend_url();
    if !choice(raw.cache_backend(), &backends)? {
        let of_tier = [
            raw.cache_backend_password_path(),
            raw.cache_backend_tls_ca_path(),
            raw.cache_backend_tls_cert_path(),
            raw.cache_backend_tls_key_path(),
            raw.cache_backend_prefix(),
            raw.cache_backend_timeout_seconds(),
            raw.cache_backend_stale_seconds(),
            raw.cache_backend_required(),
        ];
        let allowed = "it needs CACHE_BACKEND=redis, without which entries are in this process \
                       alone; set that, or unset this";
        if raw.is_set(url) {
            return Err(hidden(url, allowed));
        }
        let void = of_tier.into_iter().find(|given| raw.is_set(*given));
        return void.map_or(Ok(None), |void| Err(void.refuse(allowed)));
    }
    TierSettings::check(url.value).map_err(|invalid| hidden(url, invalid.to_string()))?;
    let password = raw.cache_backend_password_path();
    if !password.value.is_empty() && TierSettings::has_password(url.value) {
        return Err(password.refuse("CACHE_BACKEND_URL has a password, too; leave one of them out"));
    }
    Ok(Some(TierSettings {
        url: url.value.to_owned(),
        password: path(password),
        tls: files(raw, TierSettings::is_tls(url.value))?,
        prefix: prefix(raw.cache_backend_prefix())?,
        timeout: seconds(raw.cache_backend_timeout_seconds(), SHORTEST)?,
        stale_time: seconds(raw.cache_backend_stale_seconds(), Duration::ZERO)?,
        required: boolean(raw.cache_backend_required())?,
    }))
}

fn files(raw: &Raw, is_tls: bool) -> Result<TierFiles, SettingsError> {
    let (ca, certificate, key) = (
        raw.cache_backend_tls_ca_path(),
        raw.cache_backend_tls_cert_path(),
        raw.cache_backend_tls_key_path(),
    );
    let void = [ca, certificate, key].into_iter().find(|file| !file.value.is_empty());
    if let Some(void) = void.filter(|_| !is_tls) {
        return Err(void.refuse(
            "it needs a CACHE_BACKEND_URL that begins with rediss://, without which nothing is \
             encrypted; change that, or unset this",
        ));
    }
    let pair = match (path(certificate), path(key)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(key.refuse("the path of the certificate's private key")),
        (None, Some(_)) => return Err(certificate.refuse("the path of the key's certificate")),
    };
    Ok(TierFiles { ca: path(ca), pair })
}

fn prefix(given: Given<'_>) -> Result<String, SettingsError> {
    let fits =
        given.value.len() <= LONGEST_PREFIX && given.value.bytes().all(|b| b.is_ascii_graphic());
    if !fits {
        return Err(given.refuse(format!("up to {LONGEST_PREFIX} visible ASCII characters")));
    }
    Ok(given.value.to_owned())
}

/// Refuses a value that may have a password in it.
fn hidden(given: Given<'_>, allowed: impl Into<String>) -> SettingsError {
    let shown = if given.value.is_empty() { "" } else { "(not shown)" };
    SettingsError::new(given.variable, shown, allowed)
}
