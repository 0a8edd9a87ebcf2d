//! Certificates and private keys from PEM files. Says in one line what cannot be used, and what
//! to do about it. Knows files and their content; which setting or option named a file is the
//! caller's.

mod authorities; // whose signatures are trusted, and until when
mod certificate; // one certificate: name, dates, key
mod identity; // a chain and its key
mod key; // a private key
mod pem; // blocks of text

use std::{fs, io, path::Path};

use thiserror::Error;

pub use self::{
    authorities::Authorities,
    certificate::{Certificate, Validity},
    identity::{Misfit, check_identity, order_warning},
    key::private_key,
    pem::certificates,
};

/// Why a file cannot be used, and what to do: one line without the file's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Problem(String);

impl Problem {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// What a private key may be, as the texts name it.
const SUPPORTED_KEYS: &str = "RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519";

/// Reads a file.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    if path.is_dir() {
        return Err(Problem::new("it is a directory; name the file in it"));
    }
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Problem::new(format!("{error}; let the user that this process runs as read the file"))
        }
        _ => Problem::new(error.to_string()),
    })
}
