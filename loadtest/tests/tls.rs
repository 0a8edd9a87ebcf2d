//! The binary against the real server over TLS, which asks the client for a certificate.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tiny_cache_client::testing::TestServer;
use tokio::runtime::Runtime;

/// The one name in the server's certificate: not that of the address.
const SERVER_NAME: &str = "cache.internal";

/// A server with TLS, and a directory with the certificates and a trace in it.
struct Bench {
    dir: TempDir,
    server: TestServer,
    _runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(file("t.lis"), "1 3 0 0\n2 2 0 1\n").unwrap();

        let [authority, stranger] = ["authority", "stranger"].map(|name| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        });
        fs::write(file("ca.pem"), authority.pem()).unwrap();
        fs::write(file("stranger.pem"), stranger.pem()).unwrap();
        for (who, name) in [("server", SERVER_NAME), ("client", "client")] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            fs::write(file(&format!("{who}.pem")), certificate.pem()).unwrap();
            fs::write(file(&format!("{who}.key")), key.serialize_pem()).unwrap();
        }

        let runtime = Runtime::new().unwrap();
        let server = runtime
            .block_on(TestServer::start_with([
                ("CACHE_WORKERS", "1".to_owned()),
                ("CACHE_TLS_ENABLED", "true".to_owned()),
                ("CACHE_TLS_CERT_PATH", file("server.pem")),
                ("CACHE_TLS_KEY_PATH", file("server.key")),
                ("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true".to_owned()),
                ("CACHE_TLS_CLIENT_CA_PATH", file("ca.pem")),
            ]))
            .unwrap();
        Self { dir, server, _runtime: runtime }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replays the trace on a system that trusts these authorities; an option's value that
    /// names a file is one of the directory.
    fn replay(&self, scheme: &str, trusted: &str, options: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
        command.env("SSL_CERT_FILE", self.file(trusted)).env_remove("SSL_CERT_DIR");
        command.arg("replay").arg(self.file("t.lis"));
        command.arg("--target").arg(format!("{scheme}{}", self.server.address()));
        command.args(["--connect-timeout", "2s", "--in-flight", "1"]);
        for (option, value) in options {
            let file = self.file(value);
            command.arg(option);
            if file.exists() {
                command.arg(file)
            } else {
                command.arg(value)
            };
        }
        command.output().unwrap()
    }

    fn refusal(&self, scheme: &str, options: &[(&str, &str)]) -> String {
        let output = self.replay(scheme, "stranger.pem", options);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        line
    }
}

#[test]
fn a_trace_is_replayed_over_tls_with_both_sides_shown_to_each_other() {
    let bench = Bench::new();
    let (ca, name) = (("--ca", "ca.pem"), ("--server-name", SERVER_NAME));
    let (cert, key) = (("--cert", "client.pem"), ("--key", "client.key"));

    for (trusted, options) in
        [("stranger.pem", vec![ca, name, cert, key]), ("ca.pem", vec![name, cert, key])]
    {
        let output = bench.replay("grpcs://", trusted, &options);
        let table = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(table.contains(&format!("grpcs://{}", bench.server.address())), "{table}");
    }

    for (options, expected) in [
        (vec![name, cert, key], "invalid peer certificate: UnknownIssuer"),
        (vec![ca, cert, key], "not valid for name \"127.0.0.1\""),
        (vec![ca, name], "within 2s: "),
    ] {
        let line = bench.refusal("grpcs://", &options);
        assert!(line.starts_with("error: cannot reach grpcs://"), "{line}");
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn a_server_with_tls_is_not_reached_without() {
    let line = Bench::new().refusal("", &[]);
    assert!(line.contains("if the server speaks TLS, write grpcs://"), "{line}");
}
