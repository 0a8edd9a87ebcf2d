//! TLS of the two ports. The PEM files are read at the start, and again when they change: what is
//! new is put to use at once, and what cannot be used changes nothing.

mod file; // a file, and the variable that names it
mod part; // files that are read together, and what they hold
mod port; // what takes TLS connections
mod open; // open connections, by the certificate that each has shown
mod files; // all files, and the ports that use them

pub use self::file::TlsError;
pub(crate) use self::{
    files::{GrpcFiles, InUse, LoadedCertificate, Renewed, Shown, Subject, Tls},
    open::Admission,
    part::KeyPair,
    port::Port,
};
