//! Which files access control reads, and what is taken from certificates.

use std::path::PathBuf;

use super::certificate::CertificateName;

/// The files of access control, and what is taken from certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessFiles {
    /// Who may do what.
    pub rules: PathBuf,
    /// Hashes of tokens, if callers may have any.
    pub tokens: Option<PathBuf>,
    /// Which name of a client's certificate is its identity, if any is.
    pub certificate: Option<CertificateName>,
    /// The keys that sign JWTs, if callers may have any.
    pub jwt: Option<JwtFiles>,
}

/// What a JWT is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtFiles {
    /// A JSON Web Key Set.
    pub keys: PathBuf,
    /// Its claim `iss`.
    pub issuer: String,
    /// Its claim `aud`, or one of several in it.
    pub audience: String,
    /// The claim that names the caller.
    pub claim: String,
}
