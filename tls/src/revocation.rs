//! Revocation lists (CRLs) in PEM, and what is refused before a handshake depends on it.

use std::time::Duration;

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateRevocationListDer, UnixTime, pem::PemObject},
};
use webpki::{Error as WebPkiError, OwnedCertRevocationList};
use x509_cert::{
    certificate::Raw,
    crl::CertificateList,
    der::{
        self, Decode, Reader, SliceReader,
        asn1::{AnyRef, BitStringRef},
    },
};

use crate::{
    Certificate, Problem,
    pem::{Text, broken},
};

const NAME: &str = "revocation list";

/// The extension that says of which certificates a list is.
const ISSUING_DISTRIBUTION_POINT: &str = "2.5.29.28";

/// A parsed revocation list.
#[derive(Clone, Debug)]
pub struct RevocationList {
    der: CertificateRevocationListDer<'static>,
    /// Its place in the file, from 1.
    pub number: usize,
    /// The name of the authority that made it, as RFC 4514 writes it.
    pub issuer: String,
    /// How many certificates it revokes.
    pub revoked: usize,
    /// When the next one is due, since the Unix epoch.
    pub next_update: Duration,
    /// [`Self::next_update`] as people write it.
    pub due: String,
    /// The part of the issuer's certificates that it covers: the extension, where it has it.
    scope: Option<Vec<u8>>,
}

/// Reads every revocation list of a PEM text, in its order.
///
/// # Errors
/// There is none, one of them cannot be read or used, or two are for the same certificates.
pub fn revocation_lists(pem: &[u8]) -> Result<Vec<RevocationList>, Problem> {
    let text = Text::of(pem, NAME)?;
    let mut found: Vec<RevocationList> = Vec::new();
    for der in CertificateRevocationListDer::pem_slice_iter(&text.0) {
        let number = found.len() + 1;
        let der = der.map_err(|error| broken(&format!("{NAME} {number}"), &error))?;
        let list = RevocationList::parse(der, number)?;
        let same =
            |other: &&RevocationList| (&other.issuer, &other.scope) == (&list.issuer, &list.scope);
        if let Some(other) = found.iter().find(same) {
            return Err(problem!(
                "{NAME}s {} and {number} are both that of {}, and only one of them would be looked \
                 at; take the older one out",
                other.number,
                list.issuer
            ));
        }
        found.push(list);
    }
    text.all_were_read("X509 CRL", NAME, found.len())?;
    Ok(found)
}

impl RevocationList {
    fn parse(der: CertificateRevocationListDer<'static>, number: usize) -> Result<Self, Problem> {
        let parsed = CertificateList::<Raw>::from_der(&der)
            .map_err(|error| {
                problem!(
                    "{NAME} {number} is no CRL of version 2 (of openssl, `crlnumber` in its \
                     configuration makes it one): {error}"
                )
            })?
            .tbs_cert_list;
        let issuer = parsed.issuer.to_string();
        // As rustls reads it, entries and all.
        OwnedCertRevocationList::from_der(&der).map_err(|error| {
            problem!("{NAME} {number} ({issuer}) cannot be used: {}", reason(&error))
        })?;
        let Some(next) = parsed.next_update else {
            return Err(problem!("{NAME} {number} ({issuer}) has no date of the next one"));
        };
        let extensions = parsed.crl_extensions.unwrap_or_default();
        let scope = extensions
            .into_iter()
            .find(|extension| extension.extn_id.to_string() == ISSUING_DISTRIBUTION_POINT);
        Ok(Self {
            number,
            revoked: parsed.revoked_certificates.map_or(0, |revoked| revoked.len()),
            next_update: next.to_unix_duration(),
            due: next.to_date_time().to_string(),
            scope: scope.map(|extension| extension.extn_value.as_bytes().to_vec()),
            issuer,
            der,
        })
    }

    /// Its encoded form.
    pub fn der(&self) -> &CertificateRevocationListDer<'static> {
        &self.der
    }

    /// Whether it is that of this authority, by its name.
    pub fn is_of(&self, authority: &Certificate) -> bool {
        self.issuer == authority.subject
    }

    /// Whether this authority has signed it. Certificates are checked only against a list that
    /// their issuer has signed; with another one all of them are refused.
    pub fn is_signed_by(&self, authority: &Certificate, provider: &CryptoProvider) -> bool {
        let (Ok(signed), Ok(key)) = (signed(&self.der), public_key(&authority.key_info)) else {
            return false;
        };
        let algorithms = provider.signature_verification_algorithms.all.iter();
        let mut fitting = algorithms.filter(|algorithm| {
            let ids = [algorithm.signature_alg_id(), algorithm.public_key_alg_id()];
            ids.each_ref().map(AsRef::as_ref) == [signed.algorithm, key.algorithm]
        });
        fitting.any(|algorithm| {
            algorithm.verify_signature(key.bits, signed.message, signed.signature).is_ok()
        })
    }

    /// A warning with the date if the next one is overdue.
    pub fn date_warning(&self, now: UnixTime) -> Option<String> {
        let Self { number, issuer, due, .. } = self;
        (Duration::from_secs(now.as_secs()) >= self.next_update)
            .then(|| format!("{NAME} {number} ({issuer}) should have been replaced by {due}"))
    }
}

/// What was signed, and how.
struct Signed<'a> {
    message: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

fn signed(list: &[u8]) -> der::Result<Signed<'_>> {
    SliceReader::new(list)?.sequence(|reader| {
        let message = reader.tlv_bytes()?;
        let algorithm = AnyRef::decode(reader)?.value();
        let signature = BitStringRef::decode(reader)?.raw_bytes();
        der::Result::Ok(Signed { message, algorithm, signature })
    })
}

struct PublicKey<'a> {
    algorithm: &'a [u8],
    bits: &'a [u8],
}

fn public_key(info: &[u8]) -> der::Result<PublicKey<'_>> {
    SliceReader::new(info)?.sequence(|reader| {
        let algorithm = AnyRef::decode(reader)?.value();
        let bits = BitStringRef::decode(reader)?.raw_bytes();
        der::Result::Ok(PublicKey { algorithm, bits })
    })
}

fn reason(error: &WebPkiError) -> String {
    match error {
        WebPkiError::UnsupportedDeltaCrl => {
            "it is a delta, which says what has changed; use the complete list".to_owned()
        }
        WebPkiError::UnsupportedIndirectCrl => {
            "it is indirect, of certificates of other authorities; use a list of each".to_owned()
        }
        WebPkiError::UnsupportedRevocationReasonsPartitioning => {
            "it is for some reasons of revocation alone; use the complete list".to_owned()
        }
        WebPkiError::UnsupportedCrlVersion => "it is not of version 2".to_owned(),
        other => format!("{other:?}"),
    }
}
