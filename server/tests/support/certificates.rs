//! Makes the certificates of the TLS tests: one authority, a server and a
//! client that it signed, and a client that a stranger signed.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
};

use tiny_cache_test_support::certificates::Authority;
pub(crate) use tiny_cache_test_support::certificates::Identity;

/// The name in the server's certificate, beside the loopback address.
pub(crate) const SERVER_NAME: &str = "localhost";

/// PEM files and texts, made once for each test process.
pub(crate) struct Certificates {
    directory: PathBuf,
    pub(crate) authority: String,
    pub(crate) client: Identity,
    pub(crate) stranger: Identity,
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

        let authority = Authority::new("tiny-cache test authority");
        let stranger = Authority::new("somebody else");
        authority.sign(&[SERVER_NAME, "127.0.0.1"]).write(&directory, "server");
        let made = Self {
            directory,
            client: authority.sign(&["client"]),
            stranger: stranger.sign(&["client"]),
            authority: authority.pem(),
        };
        fs::write(made.client_authority(), &made.authority).unwrap();
        made
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }
}
