//! Words the errors of TLS: rustls prints the names of its types, and no remedy.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage};

/// The text for an error of TLS, or for the alert by which the server refused the client; none for
/// other errors.
#[must_use]
pub fn words(error: &io::Error) -> Option<String> {
    // By its text: of an alert after the handshake, h2 keeps nothing else.
    if let Some(alert) = error.to_string().strip_prefix("received fatal alert: ") {
        return Some(refused(alert));
    }
    Some(match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS".to_owned()
        }
        Error::InvalidCertificate(error) => certificate(error),
        _ => return None,
    })
}

/// The text for a server's certificate that the client refuses.
fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "no trusted authority signed the server's certificate".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // rustls prints names as `DnsName("cache")` and `IpAddress(::1)`.
            let names = presented.iter().map(|name| {
                let name = name.split_once('(').map_or(name.as_str(), |(_, name)| name);
                name.trim_end_matches(')').trim_matches('"').to_owned()
            });
            let names: Vec<_> = names.collect();
            format!(
                "the server's certificate is not valid for name `{}`, only for {}",
                expected.to_str(),
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate or its authority has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate or its authority is not valid yet".to_owned()
        }
        CertificateError::NotValidForName => {
            "the server's certificate is not valid for the name that was asked for".to_owned()
        }
        other => {
            let (fault, remedy) = fault(other);
            format!("the server's certificate {fault}; {remedy}")
        }
    }
}

/// What the issuer, or whoever runs the server, did wrong, and the remedy.
fn fault(error: &CertificateError) -> (String, &'static str) {
    const ANEW: &str = "have it issued anew";
    let (fault, remedy) = match error {
        CertificateError::BadEncoding => ("cannot be read", ANEW),
        CertificateError::BadSignature => (
            "was not signed by the authority that is trusted, though its name is the same",
            "trust the authority that signed it",
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            ("is not for servers", "have it issued with the extended key usage serverAuth")
        }
        CertificateError::UnhandledCriticalExtension => {
            ("has a critical extension that is not known here", "have it issued without that")
        }
        #[expect(deprecated, reason = "rustls-webpki may still return it")]
        CertificateError::UnsupportedSignatureAlgorithm
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "or one of its chain is signed with an algorithm that is not supported",
            "have it signed with RSA or ECDSA and SHA-256 or better, or with Ed25519",
        ),
        CertificateError::Other(other) => return fault_by_name(&other.to_string()),
        other => return (format!("is refused: {other}"), ANEW),
    };
    (fault.to_owned(), remedy)
}

/// Errors of rustls-webpki for which rustls has no word, by the names that both print.
fn fault_by_name(name: &str) -> (String, &'static str) {
    let (fault, remedy) = match name {
        "CaUsedAsEndEntity" => (
            "is that of an authority (CA:TRUE)",
            "let the authority sign one for the server (CA:FALSE), and give the server that one",
        ),
        "EndEntityUsedAsCa" => (
            "was signed by one that is no authority (CA:FALSE)",
            "have it signed by one with CA:TRUE",
        ),
        "UnsupportedCertVersion" => {
            ("or one of its chain is not X.509 version 3", "have that issued as version 3")
        }
        "PathLenConstraintViolated" | "MaximumPathDepthExceeded" => (
            "has more authorities above it than are allowed",
            "have it signed by one nearer to the root",
        ),
        "NameConstraintViolation" => {
            ("has a name that its authority may not sign", "ask for another name or authority")
        }
        "EmptyEkuExtension" => {
            ("is for no use at all", "have it issued with the extended key usage serverAuth")
        }
        other => return (format!("is refused ({other})"), "have it issued anew"),
    };
    (fault.to_owned(), remedy)
}

/// The text for an alert, with its name, which the server's side knows.
fn refused(alert: &str) -> String {
    match alert {
        "CertificateRequired" => {
            "the server requires a client certificate (CertificateRequired)".to_owned()
        }
        "BadCertificate"
        | "UnsupportedCertificate"
        | "CertificateRevoked"
        | "CertificateExpired"
        | "CertificateUnknown"
        | "UnknownCA"
        | "AccessDenied"
        | "DecryptError" => format!("the server refuses the client's certificate ({alert})"),
        other => format!("the server ended TLS with the alert {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    fn said(error: CertificateError) -> String {
        words(&io::Error::other(Error::InvalidCertificate(error))).unwrap()
    }

    /// A name of rustls' types stood there, and no remedy.
    #[test]
    fn every_refusal_of_a_certificate_is_words_with_a_remedy() {
        for error in [
            CertificateError::BadEncoding,
            CertificateError::BadSignature,
            CertificateError::InvalidPurpose,
            CertificateError::UnhandledCriticalExtension,
            CertificateError::Revoked,
        ] {
            let said = said(error);
            assert!(said.starts_with("the server's certificate ") && said.contains("; "), "{said}");
        }
        assert!(said(CertificateError::NotValidForName).ends_with("that was asked for"));
        for name in [
            "CaUsedAsEndEntity",
            "EndEntityUsedAsCa",
            "UnsupportedCertVersion",
            "PathLenConstraintViolated",
            "NameConstraintViolation",
            "EmptyEkuExtension",
        ] {
            let other = OtherError(Arc::new(io::Error::other(name)));
            let said = said(CertificateError::Other(other));
            assert!(said.contains("; ") && !said.contains(name), "{said}");
        }
        let other = OtherError(Arc::new(io::Error::other("InvalidSerialNumber")));
        assert_eq!(
            said(CertificateError::Other(other)),
            "the server's certificate is refused (InvalidSerialNumber); have it issued anew"
        );
    }
}
