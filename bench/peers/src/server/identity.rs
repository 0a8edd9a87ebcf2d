//! The certificate of a run's TLS.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{load::Trust, peer::Files};

/// A certificate that signed itself, in files for the server and as trust for the client.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For the server.
    pub files: Files,
    /// For the client.
    pub trust: Trust,
}

impl Identity {
    /// Makes one for `localhost`, with an ECDSA key on P-256.
    ///
    /// # Errors
    ///
    /// The files cannot be written.
    pub fn make(directory: &Path) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let files =
            Files { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        fs::write(&files.certificate, made.cert.pem()).context("writing the certificate")?;
        fs::write(&files.key, made.signing_key.serialize_pem()).context("writing the key")?;
        Ok(Self { files, trust: Trust::in_certificate(made.cert.der().clone())? })
    }
}
