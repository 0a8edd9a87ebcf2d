//! Reads certificates, private keys and revocation lists from PEM files. An error is one line with the remedy. Does
//! not know which setting or option named a file.

/// A [`Problem`] with the text of a `format!`.
macro_rules! problem {
    ($($text:tt)+) => { $crate::Problem(format!($($text)+)) };
}

mod authorities; // the trusted ones, while they are valid
mod client; // what a client speaks TLS with
mod certificate; // a certificate: name, dates, key
mod identity; // a chain and its key
mod key; // a private key
mod names; // what a certificate calls its holder
mod pem; // the blocks of a PEM text
mod revocation; // lists of certificates that are no longer good

use std::{fs, io, path::Path};

use thiserror::Error;

pub use self::{
    authorities::Authorities,
    certificate::{Certificate, Validity},
    client::{Unusable, client_config},
    identity::{Misfit, check_identity, order_warning},
    key::private_key,
    names::Names,
    pem::certificates,
    revocation::{RevocationList, revocation_lists},
};

/// Why a file cannot be used, and the remedy: one line without the file's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Problem(String);

/// The supported private keys, as errors name them.
const SUPPORTED_KEYS: &str = "RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519";

/// Reads a file.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    if path.is_dir() {
        return Err(problem!("it is a directory; name the file in it"));
    }
    // A pipe would block its reader for as long as nobody writes to it.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(problem!("it is a pipe or a device; name a regular file"));
    }
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            problem!("{error}; let the user that this process runs as read the file")
        }
        _ => problem!("{error}"),
    })
}
