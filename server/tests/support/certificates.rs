//! Makes the certificates of the TLS tests: one authority, a server and a
//! client that it signed, and a client that a stranger signed.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The name in the server's certificate, beside the loopback address.
pub(crate) const SERVER_NAME: &str = "localhost";

/// PEM files and texts, made once for each test process.
pub(crate) struct Certificates {
    directory: PathBuf,
    pub(crate) authority: String,
    pub(crate) client: Identity,
    pub(crate) stranger: Identity,
}

/// A certificate and its key, both PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Certificates {
    /// The certificates of this process.
    pub(crate) fn of_this_process() -> &'static Self {
        static MADE: OnceLock<Certificates> = OnceLock::new();
        MADE.get_or_init(Self::make)
    }

    /// The server's certificate chain.
    pub(crate) fn server_certificate(&self) -> String {
        self.path("server.pem")
    }

    /// The server's key.
    pub(crate) fn server_key(&self) -> String {
        self.path("server.key")
    }

    /// The authority that signs clients.
    pub(crate) fn client_authority(&self) -> String {
        self.path("authority.pem")
    }

    fn make() -> Self {
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificates-{}", process::id()));
        fs::create_dir_all(&directory).unwrap();

        let authority = authority("tiny-cache test authority");
        let server = signed(&authority, SERVER_NAME);
        let made = Self {
            directory,
            client: signed(&authority, "client"),
            stranger: signed(&self::authority("somebody else"), "client"),
            authority: authority.pem(),
        };
        fs::write(made.server_certificate(), &server.certificate).unwrap();
        fs::write(made.server_key(), &server.key).unwrap();
        fs::write(made.client_authority(), &made.authority).unwrap();
        made
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, authority)
        .unwrap();
    Identity { certificate: certificate.pem(), key: key.serialize_pem() }
}
