//! A private key in PEM.

use rustls::pki_types::{PrivateKeyDer, pem::PemObject};

use crate::{
    Problem, SUPPORTED_KEYS,
    pem::{Text, broken},
};

const LABEL: &str = "PRIVATE KEY";

/// Reads the private key of a PEM text.
///
/// # Errors
/// There is none or more than one, it is encrypted, or in a form that is not read.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Problem> {
    let text = Text::of(pem, "private key")?;
    let labels: Vec<_> = text.labels().map(|found| found.label).collect();
    let has = |label: &str| labels.iter().any(|found| found == label);
    // Both forms: PKCS #8, and a header within the older ones.
    let header = b"Proc-Type: 4,ENCRYPTED";
    let encrypted = text.0.windows(header.len()).any(|window| window == header);
    if encrypted || has("ENCRYPTED PRIVATE KEY") {
        return Err(Problem::new(
            "the private key is encrypted, which is not supported; write it without a passphrase: \
             `openssl pkey -in FILE -out NEW`",
        ));
    }
    if has("DSA PRIVATE KEY") {
        return Err(Problem::new(format!("it is a DSA key; TLS needs {SUPPORTED_KEYS}")));
    }
    if has("OPENSSH PRIVATE KEY") {
        return Err(Problem::new(
            "the private key is in OpenSSH's own form; `ssh-keygen -p -m PKCS8 -f FILE` rewrites it",
        ));
    }
    let found = PrivateKeyDer::pem_slice_iter(&text.0).collect::<Result<Vec<_>, _>>();
    let mut found = found.map_err(|error| broken("the private key", &error))?;
    text.all_were_read(LABEL, "private key", found.len())?;
    if found.len() > 1 {
        return Err(Problem::new(format!(
            "{} private keys; leave that of the certificate",
            found.len()
        )));
    }
    found.pop().ok_or_else(|| Problem::new("no private key in PEM form"))
}
