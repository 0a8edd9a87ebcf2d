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
/// There is no key or more than one, or it is encrypted or in an unsupported form.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Problem> {
    let text = Text::of(pem, "private key")?;
    let labels: Vec<_> = text.labels().map(|found| found.label).collect();
    let has = |label: &str| labels.iter().any(|found| found == label);
    // PKCS #8 has a label for it, older forms have a header.
    let header = b"Proc-Type: 4,ENCRYPTED";
    let encrypted = text.0.windows(header.len()).any(|window| window == header);
    if encrypted || has("ENCRYPTED PRIVATE KEY") {
        return Err(problem!(
            "the private key is encrypted, which is not supported; write it without a passphrase: \
             `openssl pkey -in FILE -out NEW`",
        ));
    }
    if has("DSA PRIVATE KEY") {
        return Err(problem!("it is a DSA key; TLS needs {SUPPORTED_KEYS}"));
    }
    if has("OPENSSH PRIVATE KEY") {
        return Err(problem!(
            "the private key is in OpenSSH's own form; `ssh-keygen -p -m PKCS8 -f FILE` rewrites it",
        ));
    }
    let found = PrivateKeyDer::pem_slice_iter(&text.0).collect::<Result<Vec<_>, _>>();
    let mut found = found.map_err(|error| broken("the private key", &error))?;
    text.all_were_read(LABEL, "private key", found.len())?;
    if found.len() > 1 {
        return Err(problem!("{} private keys; leave that of the certificate", found.len()));
    }
    found.pop().ok_or_else(|| problem!("no private key in PEM form"))
}
