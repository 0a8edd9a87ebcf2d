//! The names that a certificate gives its holder.

use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::{Decode, asn1::ObjectIdentifier},
    ext::pkix::{
        SubjectAltName,
        name::{DirectoryString, GeneralName},
    },
};

use crate::Problem;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The names of a certificate's subject, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// URIs among the alternative names, such as SPIFFE IDs.
    pub uris: Vec<String>,
    /// DNS names among them.
    pub dns: Vec<String>,
    /// Common names of the subject.
    pub common: Vec<String>,
}

impl Names {
    /// Reads the names of an encoded certificate. Checks nothing else of it.
    ///
    /// # Errors
    /// It is no certificate, or its alternative names cannot be read.
    pub fn of(der: &[u8]) -> Result<Self, Problem> {
        let parsed = CertificateInner::<Raw>::from_der(der)
            .map_err(|error| problem!("the certificate is no X.509 certificate: {error}"))?;
        let tbs = parsed.tbs_certificate();
        let mut names = Self::default();
        for attribute in tbs.subject().iter().filter(|attribute| attribute.oid == COMMON_NAME) {
            let text = attribute.value.decode_as::<DirectoryString>();
            names.common.extend(text.map(|text| text.value().into_owned()));
        }
        let alternative = tbs.get_extension::<SubjectAltName>().map_err(|error| {
            problem!("the certificate's alternative names cannot be read: {error}")
        })?;
        for name in alternative.into_iter().flat_map(|(_, SubjectAltName(names))| names) {
            match name {
                GeneralName::UniformResourceIdentifier(uri) => names.uris.push(uri.to_string()),
                GeneralName::DnsName(dns) => names.dns.push(dns.to_string()),
                _ => {}
            }
        }
        Ok(names)
    }
}
