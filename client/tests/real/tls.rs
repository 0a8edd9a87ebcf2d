//! TLS, and what is said where it does not come about.

use std::error::Error as _;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use tiny_cache_client::{Client, ErrorKind, Result, Tls, testing::TestServer};

use crate::certificates::{Certificates, Identity, SERVER_NAME};

/// A server that speaks TLS, and asks for a certificate if `mutual`.
async fn server(mutual: bool) -> TestServer {
    let made = Certificates::of_this_process();
    let mut settings = vec![
        ("CACHE_TLS_ENABLED", "true".to_owned()),
        ("CACHE_TLS_CERT_PATH", made.server_certificate()),
        ("CACHE_TLS_KEY_PATH", made.server_key()),
    ];
    if mutual {
        settings.push(("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true".to_owned()));
        settings.push(("CACHE_TLS_CLIENT_CA_PATH", made.client_authority()));
    }
    TestServer::start_with(settings).await.unwrap()
}

/// Trusts the authority of these tests.
fn trusting() -> Tls {
    let authority = &Certificates::of_this_process().authority;
    Tls::new().ca_pem(authority.as_bytes()).unwrap()
}

fn showing(identity: &Identity) -> Tls {
    trusting().identity_pem(identity.certificate.as_bytes(), identity.key.as_bytes()).unwrap()
}

async fn connect(server: &TestServer, tls: Tls) -> Result<Client> {
    Client::builder(format!("grpcs://{}", server.address())).tls(tls).connect().await
}

async fn serves(client: &Client) {
    client.set("k", vec![7; 1 << 20]).await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap().len(), 1 << 20);
    assert!(client.ping().await);
}

/// Checks that there is no connection, and that one line says why.
async fn is_refused(connecting: impl Future<Output = Result<Client>>, words: &[&str]) {
    let error = connecting.await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Connection, "{text}");
    assert!(text.starts_with("cannot connect to grpc") && !text.contains('\n'), "{text}");
    assert!(error.source().is_some() && !error.may_have_been_applied());
    assert!(words.iter().any(|words| text.contains(words)), "{text}");
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_served() {
    let server = server(false).await;
    serves(&connect(&server, trusting()).await.unwrap()).await;
    // From a file as from a text, and under the address's own name.
    let made = Certificates::of_this_process();
    let tls = Tls::new().ca_file(made.client_authority()).unwrap();
    let port = server.address().rsplit(':').next().unwrap();
    let address = format!("https://{SERVER_NAME}:{port}");
    serves(&Client::builder(address).tls(tls).connect().await.unwrap()).await;
}

#[tokio::test]
async fn the_name_in_the_certificate_must_be_the_expected_one() {
    let server = server(false).await;
    serves(&connect(&server, trusting().server_name(SERVER_NAME)).await.unwrap()).await;
    let wrong = connect(&server, trusting().server_name("cache.internal"));
    is_refused(wrong, &["is not valid for name `cache.internal`, only for"]).await;
    let error = connect(&server, trusting().server_name("no name")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
    assert!(error.to_string().starts_with("bad TLS server name `no name`"), "{error}");
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_trusted() {
    let server = server(false).await;
    let stranger = &Certificates::of_this_process().stranger.certificate;
    let tls = Tls::new().ca_pem(stranger.as_bytes()).unwrap();
    is_refused(connect(&server, tls), &["no trusted authority signed the server's"]).await;
}

/// A server whose certificate is made so by `make` and signed by the authority that is returned.
async fn misissued(name: &str, make: impl FnOnce(&mut CertificateParams)) -> (TestServer, Tls) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = KeyPair::generate().unwrap();
    let authority = CertifiedIssuer::self_signed(params, authority).unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    make(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap().pem();

    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |kind| directory.join(format!("{name}-{}.{kind}", std::process::id()));
    std::fs::write(file("pem"), certificate).unwrap();
    std::fs::write(file("key"), key.serialize_pem()).unwrap();
    let server = TestServer::start_with([
        ("CACHE_TLS_ENABLED", "true".to_owned()),
        ("CACHE_TLS_CERT_PATH", file("pem").display().to_string()),
        ("CACHE_TLS_KEY_PATH", file("key").display().to_string()),
    ]);
    (server.await.unwrap(), Tls::new().ca_pem(authority.pem().as_bytes()).unwrap())
}

/// `openssl req -x509` makes an authority, which rustls takes for no server. It printed
/// `CaUsedAsEndEntity`.
#[tokio::test]
async fn a_certificate_that_was_issued_wrongly_is_refused_with_the_remedy() {
    let of_authority = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    let (server, tls) = misissued("authority", of_authority).await;
    let words = "is that of an authority (CA:TRUE); let the authority sign one for the server";
    is_refused(connect(&server, tls), &[words]).await;

    let for_clients = |params: &mut CertificateParams| {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    };
    let (server, tls) = misissued("for-clients", for_clients).await;
    let words = "is not for servers; have it issued with the extended key usage serverAuth";
    is_refused(connect(&server, tls), &[words]).await;
}

#[tokio::test]
async fn mutual_tls_serves_who_shows_a_certificate_of_the_authority() {
    let server = server(true).await;
    let made = Certificates::of_this_process();
    serves(&connect(&server, showing(&made.client)).await.unwrap()).await;

    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = |kind| directory.join(format!("client-{}.{kind}", std::process::id()));
    std::fs::write(name("pem"), &made.client.certificate).unwrap();
    std::fs::write(name("key"), &made.client.key).unwrap();
    let tls = trusting().identity_files(name("pem"), name("key")).unwrap();
    serves(&connect(&server, tls).await.unwrap()).await;
}

/// In TLS 1.3 the client has begun to write by the time that the server refuses it. It said
/// "broken pipe", and left what the server had said about it unread.
#[tokio::test]
async fn mutual_tls_refuses_who_shows_none_or_a_strangers() {
    let server = server(true).await;
    let stranger = &Certificates::of_this_process().stranger;
    for _ in 0..20 {
        let words = ["the server requires a client certificate"];
        is_refused(connect(&server, trusting()), &words).await;
        let words = ["the server refuses the client's certificate"];
        is_refused(connect(&server, showing(stranger)), &words).await;
    }
}

/// A bundle with a byte order mark lost its first authority, one with another label any of them,
/// and servers of those were not trusted.
#[tokio::test]
async fn a_bundle_of_authorities_is_read_whole_or_refused() {
    let server = server(false).await;
    let made = Certificates::of_this_process();
    let marked = format!("\u{feff}{}{}", made.authority, made.stranger.certificate);
    let tls = Tls::new().ca_pem(marked.as_bytes()).unwrap();
    serves(&connect(&server, tls).await.unwrap()).await;

    let label = made.authority.replace(" CERTIFICATE", " X509 CERTIFICATE");
    let indented = made.authority.replace("-----BEGIN", " -----BEGIN");
    for vanishing in [label, indented] {
        let bundle = format!("{}{vanishing}", made.stranger.certificate);
        let text = Tls::new().ca_pem(bundle.as_bytes()).unwrap_err().to_string();
        assert!(text.starts_with("the authorities' certificates: 2 blocks begin with"), "{text}");
    }
}

#[tokio::test]
async fn a_plain_client_learns_that_the_server_may_speak_tls() {
    let server = server(false).await;
    let plain = Client::connect(server.address());
    is_refused(plain, &["if the server speaks TLS, write grpcs://"]).await;
}

#[tokio::test]
async fn a_tls_client_is_told_of_a_plain_server() {
    let server = TestServer::start().await.unwrap();
    is_refused(connect(&server, trusting()), &["the server does not speak TLS", "eof"]).await;
}

#[tokio::test]
async fn tls_that_cannot_be_set_up_is_refused_before_anything_is_sent() {
    let made = Certificates::of_this_process();
    let refused = |error: tiny_cache_client::Error| {
        assert_eq!(error.kind(), ErrorKind::Validation);
        error.to_string()
    };
    assert!(refused(Tls::new().ca_pem(b"").unwrap_err()).contains("no certificate in PEM form"));
    let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    assert!(refused(Tls::new().ca_pem(broken).unwrap_err()).contains("not PEM"));
    let text = refused(Tls::new().ca_file("/no/such/file.pem").unwrap_err());
    assert!(text.starts_with("cannot read /no/such/file.pem: "), "{text}");
    let certificate = made.client.certificate.as_bytes();
    let text = refused(Tls::new().identity_pem(certificate, b"").unwrap_err());
    assert!(text.starts_with("the client's key: no private key in PEM form"), "{text}");
    let text = refused(Tls::new().identity_pem(b"", made.client.key.as_bytes()).unwrap_err());
    assert!(text.starts_with("the client's certificate: "), "{text}");
    Tls::new().identity_files("/no/such.pem", "/no/such.key").unwrap_err();

    // A key that is not the certificate's.
    let tls = Tls::new().identity_pem(certificate, made.stranger.key.as_bytes()).unwrap();
    let authority = made.authority.as_bytes();
    let tls = tls.ca_pem(authority).unwrap();
    let text = refused(Client::builder("grpcs://cache").tls(tls).build().unwrap_err());
    assert!(text.starts_with("the client's certificate and key cannot be used"), "{text}");

    let text = refused(Client::builder("cache").tls(trusting()).build().unwrap_err());
    assert!(text.contains("write grpcs://"), "{text}");
}
