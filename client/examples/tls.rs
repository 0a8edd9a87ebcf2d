//! TLS, and a certificate for the client as well (mutual TLS). Needs no server: it makes
//! certificates and starts one in the process.
//!
//! ```sh
//! cargo run -p tiny-cache-client --example tls
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::{error::Error, fs, process::ExitCode};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tiny_cache_client::{Client, Tls, testing::TestServer};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name).display().to_string();
    make_certificates(&path)?;

    let server = TestServer::start_with([
        ("CACHE_TLS_ENABLED", "true".to_owned()),
        ("CACHE_TLS_CERT_PATH", path("server.pem")),
        ("CACHE_TLS_KEY_PATH", path("server.key")),
        ("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true".to_owned()),
        ("CACHE_TLS_CLIENT_CA_PATH", path("ca.pem")),
    ])
    .await?;
    let address = format!("grpcs://{}", server.address());

    let tls = Tls::new()
        // Leave this out to trust what the system trusts.
        .ca_file(path("ca.pem"))?
        // Only for servers that ask for it.
        .identity_files(path("client.pem"), path("client.key"))?
        // Only where the certificate names the server otherwise than the address does.
        .server_name("cache.internal");
    let client = Client::builder(&address).tls(tls).connect().await?;
    client.set("example:secret", "sealed in transit").await?;
    println!("read over mutual TLS: {:?}", client.get_text("example:secret").await?);

    // A client without a certificate is turned away, and the error says why.
    let stranger = Tls::new().ca_file(path("ca.pem"))?.server_name("cache.internal");
    let refused = Client::builder(&address).tls(stranger).connect().await;
    println!("without a certificate: {}", refused.err().ok_or("let in without one")?);
    Ok(())
}

/// An authority, and a certificate from it for the server and one for the client.
fn make_certificates(path: &dyn Fn(&str) -> String) -> Result<(), Box<dyn Error>> {
    let authority_key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(path("ca.pem"), params.self_signed(&authority_key)?.pem())?;
    let authority = Issuer::new(params, authority_key);

    for (name, subject) in [("server", "cache.internal"), ("client", "a client")] {
        let key = KeyPair::generate()?;
        let names = if name == "server" { vec![subject.to_owned()] } else { Vec::new() };
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        fs::write(path(&format!("{name}.pem")), certificate.pem())?;
        fs::write(path(&format!("{name}.key")), key.serialize_pem())?;
    }
    Ok(())
}
