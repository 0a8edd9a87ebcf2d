//! A certificate: its name, its dates, and the kind of its key. rustls reports none of these.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::{
    certificate::{CertificateInner, Raw, Version},
    der::{
        Decode, Encode, Reader, SliceReader,
        asn1::{ObjectIdentifier, UintRef},
    },
    ext::pkix::BasicConstraints,
    spki::SubjectPublicKeyInfoOwned,
};

use crate::Problem;

/// A parsed certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    /// Its place in the file, from 1.
    pub number: usize,
    /// The subject's name, as RFC 4514 writes it.
    pub subject: String,
    issuer: String,
    version: Version,
    /// Whether it may sign others (CA:TRUE).
    pub is_authority: bool,
    not_before: Duration,
    /// The last second at which it is valid, since the Unix epoch.
    pub not_after: Duration,
    /// [`Self::not_after`] as people write it.
    pub expiry: String,
    beginning: String,
    pub(crate) key_info: Vec<u8>,
    key: PublicKey,
}

/// The position of a moment relative to a certificate's dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Before the first.
    NotYet,
    /// Between them.
    Valid,
    /// After the last.
    Expired,
}

/// A public key by its use, with its kind.
#[derive(Clone, Debug)]
enum PublicKey {
    /// Signs and checks signatures.
    Usable,
    /// Only checks signatures.
    Checks(String),
    Unusable(String),
}

impl Certificate {
    /// `number` is its place in the file, from 1.
    pub(crate) fn parse(der: CertificateDer<'static>, number: usize) -> Result<Self, Problem> {
        // Without the checks of RFC 5280, such as the length of the serial number.
        let parsed = CertificateInner::<Raw>::from_der(&der)
            .map_err(|error| problem!("certificate {number} is no X.509 certificate: {error}"))?;
        let tbs = parsed.tbs_certificate();
        let validity = tbs.validity();
        let key = tbs.subject_public_key_info();
        Ok(Self {
            number,
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            version: tbs.version(),
            is_authority: matches!(
                tbs.get_extension::<BasicConstraints>(),
                Ok(Some((_, BasicConstraints { ca: true, .. })))
            ),
            not_before: validity.not_before.to_unix_duration(),
            not_after: validity.not_after.to_unix_duration(),
            expiry: validity.not_after.to_date_time().to_string(),
            beginning: validity.not_before.to_date_time().to_string(),
            key_info: key.to_der().unwrap_or_default(),
            key: PublicKey::of(key),
            der,
        })
    }

    /// Its encoded form.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
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

    /// A warning with the date if it is not valid at a moment.
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

    /// The kind of its key, if that cannot check signatures.
    pub(crate) fn unusable_key(&self) -> Option<&str> {
        match &self.key {
            PublicKey::Usable | PublicKey::Checks(_) => None,
            PublicKey::Unusable(what) => Some(what),
        }
    }

    /// The kind of its key, if that cannot sign.
    pub(crate) fn key_that_cannot_sign(&self) -> Option<&str> {
        match &self.key {
            PublicKey::Usable => None,
            PublicKey::Checks(what) | PublicKey::Unusable(what) => Some(what),
        }
    }
}

impl PublicKey {
    fn of(key: &SubjectPublicKeyInfoOwned) -> Self {
        match key.algorithm.oid.to_string().as_str() {
            "1.2.840.113549.1.1.1" => {
                Self::of_rsa(modulus_bits(key.subject_public_key.raw_bytes()))
            }
            "1.2.840.10045.2.1" => {
                let curve = key.algorithm.parameters.as_ref();
                let curve = curve.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
                Self::of_curve(curve.map(|curve| curve.to_string()).as_deref())
            }
            "1.3.101.112" => Self::Usable,
            "1.3.101.113" => Self::Unusable("an Ed448 key".to_owned()),
            "1.2.840.10040.4.1" => Self::Unusable("a DSA key".to_owned()),
            "1.2.840.113549.1.1.10" => {
                Self::Unusable("an RSA key for PSS signatures alone".to_owned())
            }
            other => Self::Unusable(format!("a key of the kind {other}")),
        }
    }

    fn of_rsa(bits: Option<usize>) -> Self {
        match bits {
            Some(2048..=4096) => Self::Usable,
            Some(bits @ 4097..=8192) => Self::Checks(format!("an RSA key of {bits} bits")),
            Some(bits) => Self::Unusable(format!("an RSA key of {bits} bits")),
            None => Self::Unusable("an RSA key that cannot be read".to_owned()),
        }
    }

    fn of_curve(curve: Option<&str>) -> Self {
        match curve {
            Some("1.2.840.10045.3.1.7" | "1.3.132.0.34") => Self::Usable,
            Some("1.3.132.0.35") => Self::Unusable("an ECDSA key on P-521".to_owned()),
            Some(curve) => Self::Unusable(format!("an ECDSA key on the curve {curve}")),
            None => Self::Unusable("an ECDSA key without a named curve".to_owned()),
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
