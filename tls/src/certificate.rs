//! One certificate: its name, when it is valid, and what its key is. rustls checks signatures;
//! it shows no dates, and does not say what it cannot use.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::{
    certificate::{CertificateInner, Raw, Version},
    der::{
        Decode, Encode, Reader, SliceReader,
        asn1::{ObjectIdentifier, UintRef},
    },
    spki::SubjectPublicKeyInfoOwned,
};

use crate::Problem;

/// A certificate that was read.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    number: usize,
    subject: String,
    issuer: String,
    version: Version,
    not_before: Duration,
    not_after: Duration,
    expiry: String,
    beginning: String,
    key_info: Vec<u8>,
    key: PublicKey,
}

/// Where a moment lies in a certificate's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Before it.
    NotYet,
    /// Within it.
    Valid,
    /// After it.
    Expired,
}

/// A public key, by what it and its private key can be used for here, with what it is.
#[derive(Clone, Debug)]
enum PublicKey {
    /// To sign and to check signatures.
    Usable,
    /// To check signatures alone.
    Checks(String),
    Unusable(String),
}

impl Certificate {
    /// `number` is its place in the file, from 1.
    pub(crate) fn parse(der: CertificateDer<'static>, number: usize) -> Result<Self, Problem> {
        // Without the checks of RFC 5280: whether a serial number is too long is not asked here.
        let parsed = CertificateInner::<Raw>::from_der(&der).map_err(|error| {
            Problem::new(format!("certificate {number} is no X.509 certificate: {error}"))
        })?;
        let tbs = parsed.tbs_certificate();
        let validity = tbs.validity();
        let key = tbs.subject_public_key_info();
        Ok(Self {
            number,
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            version: tbs.version(),
            not_before: validity.not_before.to_unix_duration(),
            not_after: validity.not_after.to_unix_duration(),
            expiry: validity.not_after.to_date_time().to_string(),
            beginning: validity.not_before.to_date_time().to_string(),
            key_info: key.to_der().unwrap_or_default(),
            key: PublicKey::of(key),
            der,
        })
    }

    /// As it is sent.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Its place in the file, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The subject's name, as RFC 4514 writes it.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The last second that it is valid, since the Unix epoch.
    pub fn not_after(&self) -> Duration {
        self.not_after
    }

    /// Whether it is valid at a moment.
    pub fn validity(&self, now: UnixTime) -> Validity {
        let now = Duration::from_secs(now.as_secs());
        if now < self.not_before {
            Validity::NotYet
        } else if now > self.not_after {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }

    /// Says since when, or from when on, it is not valid; `None`: it is.
    pub fn date_warning(&self, now: UnixTime) -> Option<String> {
        let (subject, number) = (&self.subject, self.number);
        match self.validity(now) {
            Validity::Valid => None,
            Validity::Expired => {
                Some(format!("certificate {number} ({subject}) expired on {}", self.expiry))
            }
            Validity::NotYet => {
                let from = &self.beginning;
                Some(format!("certificate {number} ({subject}) is not valid before {from}"))
            }
        }
    }

    pub(crate) fn is_version_3(&self) -> bool {
        self.version == Version::V3
    }

    pub(crate) fn is_issued_by(&self, other: &Self) -> bool {
        self.issuer == other.subject
    }

    pub(crate) fn key_info(&self) -> &[u8] {
        &self.key_info
    }

    /// What its key is, where no signature can be checked with it.
    pub(crate) fn unusable_key(&self) -> Option<&str> {
        match &self.key {
            PublicKey::Usable | PublicKey::Checks(_) => None,
            PublicKey::Unusable(what) => Some(what),
        }
    }

    /// What its key is, where nothing can be signed with it.
    pub(crate) fn key_that_cannot_sign(&self) -> Option<&str> {
        match &self.key {
            PublicKey::Usable => None,
            PublicKey::Checks(what) | PublicKey::Unusable(what) => Some(what),
        }
    }
}

impl PublicKey {
    fn of(key: &SubjectPublicKeyInfoOwned) -> Self {
        const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
        const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
        let oid = key.algorithm.oid;
        if oid == RSA {
            let bits = modulus_bits(key.subject_public_key.raw_bytes());
            return match bits {
                Some(2048..=4096) => Self::Usable,
                Some(bits @ ..=8192) if bits > 4096 => {
                    Self::Checks(format!("an RSA key of {bits} bits"))
                }
                Some(bits) => Self::Unusable(format!("an RSA key of {bits} bits")),
                None => Self::Unusable("an RSA key that cannot be read".to_owned()),
            };
        }
        if oid == EC {
            let curve = key.algorithm.parameters.as_ref();
            let curve = curve.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
            let curve = curve.map(|curve| curve.to_string());
            return match curve.as_deref() {
                Some("1.2.840.10045.3.1.7" | "1.3.132.0.34") => Self::Usable,
                Some("1.3.132.0.35") => Self::Unusable("an ECDSA key on P-521".to_owned()),
                Some(curve) => Self::Unusable(format!("an ECDSA key on the curve {curve}")),
                None => Self::Unusable("an ECDSA key without a named curve".to_owned()),
            };
        }
        match oid.to_string().as_str() {
            "1.3.101.112" => Self::Usable,
            "1.3.101.113" => Self::Unusable("an Ed448 key".to_owned()),
            "1.2.840.10040.4.1" => Self::Unusable("a DSA key".to_owned()),
            "1.2.840.113549.1.1.10" => {
                Self::Unusable("an RSA key for PSS signatures alone".to_owned())
            }
            other => Self::Unusable(format!("a key of the kind {other}")),
        }
    }
}

fn modulus_bits(key: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(key).ok()?;
    let modulus = reader.sequence(|reader| {
        let modulus = UintRef::decode(reader)?;
        UintRef::decode(reader)?;
        x509_cert::der::Result::Ok(modulus)
    });
    let modulus = modulus.ok()?;
    let bytes = modulus.as_bytes();
    Some(bytes.len() * 8 - bytes.first()?.leading_zeros() as usize)
}
