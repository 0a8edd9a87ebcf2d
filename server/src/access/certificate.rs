//! Who a client's certificate says that it is. TLS has checked its signatures and its dates.

use tiny_cache_tls::Names;

use super::identity::{Identity, Kind};

/// Which name of a certificate is its holder's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateName {
    /// The URI among its alternative names, such as a SPIFFE ID. There must be one, and one alone,
    /// as SPIFFE has it.
    Uri,
    /// The first DNS name among them, in small letters.
    Dns,
    /// The common name of its subject. There must be one alone.
    Cn,
}

impl CertificateName {
    /// The identity of a certificate's holder, or why it has none.
    pub(super) fn identity(self, der: &[u8]) -> Result<Identity, String> {
        let Names { uris, dns, common } = Names::of(der).map_err(|why| why.to_string())?;
        let name = match self {
            Self::Uri => only(uris, "URI among its alternative names")?,
            Self::Dns => dns
                .into_iter()
                .next()
                .map(|name| name.to_ascii_lowercase())
                .ok_or("it has no DNS name among its alternative names")?,
            Self::Cn => only(common, "common name")?,
        };
        Identity::new(Kind::Certificate, &name)
            .ok_or_else(|| "its name is empty, too long, or has control characters".to_owned())
    }
}

fn only(names: Vec<String>, what: &str) -> Result<String, String> {
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(names) => Err(format!("it has {} times a {what}, not once", names.len())),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(uris: &[&str], dns: &[&str], common: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
        let dns = dns.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
        params.subject_alt_names = dns.chain(uris).collect();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_has_the_identity_of_the_name_that_was_chosen() {
        let der = certificate(&["spiffe://a/b"], &["Web.Example.org", "other"], &["Web"]);
        for (which, identity) in [
            (CertificateName::Uri, "certificate:spiffe://a/b"),
            (CertificateName::Dns, "certificate:web.example.org"),
            (CertificateName::Cn, "certificate:Web"),
        ] {
            assert_eq!(which.identity(&der).unwrap().as_str(), identity);
        }
    }

    #[test]
    fn a_certificate_without_the_name_or_with_several_has_none() {
        let nothing = certificate(&[], &[], &[]);
        for which in [CertificateName::Uri, CertificateName::Dns, CertificateName::Cn] {
            which.identity(&nothing).unwrap_err();
            which.identity(b"no certificate").unwrap_err();
        }
        let two = certificate(&["spiffe://a/b", "spiffe://a/c"], &[], &[]);
        assert!(CertificateName::Uri.identity(&two).unwrap_err().contains("2 times"));
    }
}
