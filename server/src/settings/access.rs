//! The settings of access control. Rules without anybody whom they could know, and credentials
//! without rules, are refused: a port that was meant to be guarded must not silently be open.

use std::path::PathBuf;

use crate::access::{AccessFiles, CertificateName, JwtFiles};

use super::{
    error::SettingsError,
    parse::{Given, choice},
    values::TlsFiles,
    variables::Raw,
};

const NAMES: [(&str, CertificateName); 3] =
    [("uri", CertificateName::Uri), ("dns", CertificateName::Dns), ("cn", CertificateName::Cn)];

pub(super) fn access_files(
    raw: &Raw,
    tls: Option<&TlsFiles>,
    warnings: &mut Vec<String>,
) -> Result<Option<AccessFiles>, SettingsError> {
    let (rules, tokens) = (raw.cache_access_rules_path(), raw.cache_access_tokens_path());
    let certificate = raw.cache_access_certificate_identity();
    let jwt = jwt_files(raw)?;
    let keys = raw.cache_access_jwt_keys_path();
    let sources = [tokens, certificate, keys];
    let Some(rules_path) = path(rules) else {
        return match sources.into_iter().find(is_given) {
            Some(source) => Err(source.refuse(
                "it needs CACHE_ACCESS_RULES_PATH, without which every caller may do everything; \
                 set that, or unset this",
            )),
            None => Ok(None),
        };
    };
    if !sources.iter().any(is_given) {
        return Err(rules.refuse(
            "it needs something that says who a caller is, without which every call would be \
             refused: set CACHE_ACCESS_TOKENS_PATH, CACHE_ACCESS_JWT_KEYS_PATH or \
             CACHE_ACCESS_CERTIFICATE_IDENTITY, or unset this",
        ));
    }
    if is_given(&certificate) && tls.is_none_or(|tls| tls.client_ca.is_none()) {
        return Err(certificate.refuse(
            "it needs CACHE_TLS_REQUIRE_CLIENT_AUTH=true, without which clients are not asked for \
             a certificate; set that, or unset this",
        ));
    }
    if tls.is_none() {
        let in_clear = [tokens, keys].into_iter().find(is_given);
        warnings.extend(in_clear.map(|Given { variable, .. }| {
            format!(
                "{variable} without CACHE_TLS_ENABLED: tokens cross the network in clear text, and \
                 whoever reads one can use it; set up TLS, or keep the port on the loopback or \
                 behind a proxy that encrypts"
            )
        }));
    }
    Ok(Some(AccessFiles {
        rules: rules_path,
        tokens: path(tokens),
        certificate: is_given(&certificate).then(|| choice(certificate, &NAMES)).transpose()?,
        jwt,
    }))
}

fn jwt_files(raw: &Raw) -> Result<Option<JwtFiles>, SettingsError> {
    let keys = raw.cache_access_jwt_keys_path();
    let (issuer, audience) = (raw.cache_access_jwt_issuer(), raw.cache_access_jwt_audience());
    let claim = raw.cache_access_jwt_identity_claim();
    let Some(path) = path(keys) else {
        let set = [issuer, audience, claim].into_iter().find(|given| raw.is_set(*given));
        return set.map_or(Ok(None), |set| {
            Err(set.refuse(
                "it needs CACHE_ACCESS_JWT_KEYS_PATH, without which no JWT is accepted; set that, \
                 or unset this",
            ))
        });
    };
    for given in [issuer, audience] {
        if !is_given(&given) {
            return Err(given.refuse(
                "the text that a JWT must have there; it is required with \
                 CACHE_ACCESS_JWT_KEYS_PATH, or tokens that the same issuer made for others would \
                 be good here",
            ));
        }
    }
    Ok(Some(JwtFiles {
        keys: path,
        issuer: issuer.value.to_owned(),
        audience: audience.value.to_owned(),
        claim: claim.value.to_owned(),
    }))
}

/// The file with the tokens of the HTTP port.
pub(super) fn health_tokens(
    raw: &Raw,
    is_tls: bool,
    warnings: &mut Vec<String>,
) -> Option<PathBuf> {
    let given = raw.cache_health_tokens_path();
    if is_given(&given) && !is_tls {
        warnings.push(format!(
            "{} without CACHE_HEALTH_TLS_ENABLED: tokens cross the network in clear text; set that \
             up, or keep the port on the loopback or behind a proxy that encrypts",
            given.variable
        ));
    }
    path(given)
}

fn is_given(given: &Given<'_>) -> bool {
    !given.value.is_empty()
}

fn path(given: Given<'_>) -> Option<PathBuf> {
    is_given(&given).then(|| PathBuf::from(given.value))
}
