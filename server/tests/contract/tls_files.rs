//! The PEM files of the gRPC port as they are in the field: read whole, or refused with the
//! variable, the file, the reason and the remedy. `tiny-cache-tls` has the many forms of each.

use std::{fs, path::Path, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::support::{
    Cache,
    certificates::{Certificates, SERVER_NAME},
    http::Http,
    messages::item,
    process::{self, Process},
    run,
};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![SERVER_NAME.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client's certificate and key.
fn client_of(authority: &Authority) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = named("client").signed_by(&key, authority).unwrap();
    Identity::from_pem(certificate.pem(), key.serialize_pem())
}

/// Files, and the variables that name them over the usual ones.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// The usual chain and key, with one variable or several in place of them.
fn vars(over: &[(&str, &str)]) -> Vec<(String, String)> {
    let made = Certificates::of_this_process();
    let mut vars = vec![
        ("CACHE_TLS_ENABLED".to_owned(), "true".to_owned()),
        ("CACHE_TLS_CERT_PATH".to_owned(), made.server_certificate()),
        ("CACHE_TLS_KEY_PATH".to_owned(), made.server_key()),
    ];
    for (name, value) in over {
        vars.retain(|(known, _)| known != name);
        vars.push(((*name).to_owned(), (*value).to_owned()));
        if *name == "CACHE_TLS_CLIENT_CA_PATH" {
            vars.push(("CACHE_TLS_REQUIRE_CLIENT_AUTH".to_owned(), "true".to_owned()));
        }
    }
    vars
}

fn start(over: &[(&str, &str)]) -> Process {
    let vars = vars(over);
    let vars: Vec<_> = vars.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Process::start(&vars)
}

/// The one line with which the start is refused.
fn refusal(variable: &str, path: &str) -> String {
    let output = process::output(vars(&[(variable, path)]));
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
    assert!(line.contains(&format!("{variable}: {path}: ")), "{line}");
    line
}

fn warnings(server: &mut Process) -> Vec<String> {
    let lines = server.logged();
    let warned = lines.iter().filter(|line| line["level"] == "WARN");
    warned.map(|line| line["fields"]["message"].as_str().unwrap().to_owned()).collect()
}

async fn is_served(server: &Process, client: &Identity) -> bool {
    let authority = Certificate::from_pem(&Certificates::of_this_process().authority);
    let tls = ClientTlsConfig::new().ca_certificate(authority).domain_name(SERVER_NAME);
    let endpoint = Endpoint::from_shared(format!("https://{}", server.grpc_addr())).unwrap();
    let endpoint = endpoint.tls_config(tls.identity(client.clone())).unwrap();
    match endpoint.connect().await {
        Ok(channel) => Cache::new(channel).set(item("k", "v")).await.is_ok(),
        Err(_) => false,
    }
}

/// The first authority of such a file vanished, and its clients were refused.
#[test]
fn clients_of_every_authority_of_a_bundle_are_served_whatever_marks_it_has() {
    run(async {
        let files = Files::new();
        let [one, two] = ["one", "two"].map(|name| authority(name, |_| ()));
        let bundle = format!("\u{feff}{}\u{feff}# two\r\n{}", one.pem(), two.pem());
        let bundle = files.write("ca.pem", bundle.replace('\n', "\r\n"));
        let mut server = start(&[("CACHE_TLS_CLIENT_CA_PATH", &bundle)]);
        assert!(is_served(&server, &client_of(&one)).await);
        assert!(is_served(&server, &client_of(&two)).await);
        assert!(!is_served(&server, &client_of(&authority("three", |_| ()))).await);
        assert_eq!(warnings(&mut server), Vec::<String>::new());
    });
}

#[test]
fn a_certificate_that_would_vanish_stops_the_start_with_both_counts() {
    let files = Files::new();
    let made = Certificates::of_this_process();
    let chain = fs::read_to_string(made.server_certificate()).unwrap();
    let two = authority("two", |_| ()).pem();
    for (name, vanishing) in [
        ("indented", two.lines().map(|line| format!(" {line}\n")).collect::<String>()),
        ("trusted", two.replace(" CERTIFICATE", " TRUSTED CERTIFICATE")),
    ] {
        let ca = files.write(&format!("{name}.ca"), format!("{}{vanishing}", made.authority));
        let line = refusal("CACHE_TLS_CLIENT_CA_PATH", &ca);
        assert!(line.contains("2 blocks begin with BEGIN … CERTIFICATE, but 1 cert"), "{line}");
        let chain = files.write(&format!("{name}.pem"), format!("{chain}{vanishing}"));
        let line = refusal("CACHE_TLS_CERT_PATH", &chain);
        assert!(line.contains("2 blocks begin with BEGIN … CERTIFICATE, but 1 cert"), "{line}");
    }
}

#[test]
fn what_tls_cannot_use_is_said_with_the_file_and_the_remedy() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tls/tests/data");
    let made = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let files = Files::new();
    let empty = files.write("empty.pem", "");
    let directory = files.0.path().to_str().unwrap();
    for (variable, path, said) in [
        ("CACHE_TLS_KEY_PATH", made("p256-encrypted.key").as_str(), "openssl pkey -in FILE"),
        ("CACHE_TLS_KEY_PATH", &made("p256-encrypted-traditional.key"), "openssl pkey -in FILE"),
        ("CACHE_TLS_KEY_PATH", &made("p521.key"), "supported are RSA of 2048"),
        ("CACHE_TLS_KEY_PATH", &made("rsa1024.key"), "supported are RSA of 2048"),
        ("CACHE_TLS_KEY_PATH", &made("dsa-traditional.key"), "it is a DSA key"),
        ("CACHE_TLS_KEY_PATH", &made("p256.key"), "is not that of the certificate ("),
        ("CACHE_TLS_KEY_PATH", &empty, "no private key in PEM form: it is empty"),
        ("CACHE_TLS_KEY_PATH", directory, "it is a directory"),
        ("CACHE_TLS_CERT_PATH", &made("p256.key"), "no certificate in PEM form; it has"),
        ("CACHE_TLS_CERT_PATH", &made("v1.der"), "openssl x509 -inform DER"),
        ("CACHE_TLS_CERT_PATH", &empty, "no certificate in PEM form: it is empty"),
        ("CACHE_TLS_CERT_PATH", directory, "it is a directory"),
        ("CACHE_TLS_CLIENT_CA_PATH", &made("p521.pem"), "(CN=p521) has an ECDSA key on P-521"),
        ("CACHE_TLS_CLIENT_CA_PATH", &made("rsa1024.pem"), "an RSA key of 1024 bits"),
        ("CACHE_TLS_CLIENT_CA_PATH", &made("v1-trusted.pem"), "but 0 certificates"),
        ("CACHE_TLS_CLIENT_CA_PATH", "/absent.pem", "No such file"),
    ] {
        let line = refusal(variable, path);
        assert!(line.contains(said), "{said:?} is not in {line}");
    }
    // Both files are to be changed, and the chain's is what the key's holder knows.
    let output = process::output(vars(&[
        ("CACHE_TLS_CERT_PATH", &made("v1.pem")),
        ("CACHE_TLS_KEY_PATH", &made("p256.key")),
    ]));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("CACHE_TLS_CERT_PATH: ") && line.contains("X.509 version 3"), "{line}");
}

#[test]
fn an_authority_that_has_expired_signs_nobody_and_is_warned_about() {
    run(async {
        let files = Files::new();
        let good = authority("good", |_| ());
        let old = authority("old", |params| params.not_after = rcgen::date_time_ymd(2020, 2, 1));
        let early =
            authority("early", |params| params.not_before = rcgen::date_time_ymd(2999, 1, 1));
        let bundle = files.write("ca.pem", old.pem() + &good.pem() + &early.pem());
        let mut server = start(&[("CACHE_TLS_CLIENT_CA_PATH", &bundle)]);
        assert!(is_served(&server, &client_of(&good)).await);
        assert!(!is_served(&server, &client_of(&old)).await);
        assert!(!is_served(&server, &client_of(&early)).await);
        let file = format!("CACHE_TLS_CLIENT_CA_PATH: {bundle}: certificate ");
        let refused = "; clients that it signed are refused";
        assert_eq!(
            warnings(&mut server),
            [
                format!("{file}1 (CN=old) expired on 2020-02-01T00:00:00Z{refused}"),
                format!("{file}3 (CN=early) is not valid before 2999-01-01T00:00:00Z{refused}"),
            ]
        );

        // Alone it does not stop the start either: the port is up, and says why nobody is served.
        let alone = files.write("old.pem", old.pem());
        let server = start(&[("CACHE_TLS_CLIENT_CA_PATH", &alone)]);
        assert!(!is_served(&server, &client_of(&old)).await);
    });
}

#[test]
fn every_certificate_shows_when_it_ends() {
    run(async {
        let files = Files::new();
        let good = authority("good", |params| params.not_after = rcgen::date_time_ymd(2999, 1, 1));
        let old = authority("old", |params| params.not_after = rcgen::date_time_ymd(2020, 2, 1));
        let bundle = files.write("ca.pem", good.pem() + &old.pem());
        let server = start(&[("CACHE_TLS_CLIENT_CA_PATH", &bundle)]);
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        let page = http.get("/metrics").await.unwrap().body;
        let value = |name: &str, labels: &str| -> f64 {
            let series = format!("tiny_cache_certificate_{name}{{{labels}}} ");
            let line = page.lines().find_map(|line| line.strip_prefix(&series));
            line.unwrap_or_else(|| panic!("no {series} in {page}")).parse().unwrap()
        };
        let ends = "not_after_timestamp_seconds";
        let old = "kind=\"client_ca\",number=\"2\",subject=\"CN=old\"";
        assert!((value(ends, old) - 1_580_515_200.0).abs() < 0.5);
        let good = "kind=\"client_ca\",number=\"1\",subject=\"CN=good\"";
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        for labels in [good, old] {
            let seconds = value(ends, labels) - now.as_secs_f64();
            let told = Duration::from_secs(86_400).as_secs_f64() * value("days_left", labels);
            assert!((seconds - told).abs() < 60.0, "{seconds} s and {told} s");
        }
        let chain = "tiny_cache_certificate_days_left{kind=\"server\",number=\"1\",";
        assert!(page.contains(chain), "{page}");
        assert_eq!(page.matches("tiny_cache_certificate_days_left{").count(), 3, "{page}");
    });
}

#[test]
fn a_certificate_of_the_server_that_has_expired_is_warned_about() {
    run(async {
        let files = Files::new();
        let key = KeyPair::generate().unwrap();
        let mut params = named("server");
        params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        let root = authority("root", |_| ());
        let expired = params.signed_by(&key, &root).unwrap().pem();
        let other = authority("other", |_| ()).pem();
        let chain = files.write("server.pem", expired + &other + &root.pem());
        let key = files.write("server.key", format!("\u{feff}{}", key.serialize_pem()));
        let mut server = start(&[("CACHE_TLS_CERT_PATH", &chain), ("CACHE_TLS_KEY_PATH", &key)]);
        let said = warnings(&mut server);
        let [order, date] = said.as_slice() else { panic!("{said:?}") };
        assert!(order.contains("certificate 2 (CN=other) is not the issuer"), "{order}");
        let expired =
            "certificate 1 (CN=server) expired on 2020-02-01T00:00:00Z; clients refuse it";
        assert!(date.ends_with(expired), "{date}");
    });
}

/// `openssl req -x509` makes an authority. Clients built on rustls refuse it, and the server had
/// not said so.
#[test]
fn an_authority_as_the_servers_own_certificate_is_warned_about() {
    run(async {
        let files = Files::new();
        let own = authority("own", |_| ());
        let mut server = start(&[
            ("CACHE_TLS_CERT_PATH", &files.write("own.pem", own.pem())),
            ("CACHE_TLS_KEY_PATH", &files.write("own.key", own.key().serialize_pem())),
        ]);
        let said = warnings(&mut server);
        let [warning] = said.as_slice() else { panic!("{said:?}") };
        assert!(warning.contains("certificate 1 (CN=own) is that of an authority (CA:TRUE)"));
    });
}

/// The log had nothing about certificates until one had expired.
#[test]
fn the_log_says_until_when_certificates_are_valid() {
    let files = Files::new();
    let sooner = |params: &mut CertificateParams| {
        params.not_after = rcgen::date_time_ymd(2060, 2, 1);
    };
    let bundle = authority("later", |_| ()).pem() + &authority("sooner", sooner).pem();
    let bundle = files.write("ca.pem", bundle);
    let mut server = start(&[("CACHE_TLS_CLIENT_CA_PATH", &bundle)]);
    let lines = server.logged();
    let read = |line: &&serde_json::Value| {
        line["fields"]["message"] == "certificates read; the first to expire"
    };
    let read: Vec<_> = lines.iter().filter(read).map(|line| &line["fields"]).collect();
    let [own, ca] = read.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&own["kind"], &own["count"]), (&"server".into(), &1.into()));
    assert_eq!(
        (&ca["kind"], &ca["count"], &ca["number"]),
        (&"client_ca".into(), &2.into(), &2.into())
    );
    assert_eq!(
        (&ca["subject"], &ca["expires"]),
        (&"CN=sooner".into(), &"2060-02-01T00:00:00Z".into())
    );
    assert!(ca["days_left"].as_i64().unwrap() > 10_000, "{ca}");
}

/// The chain was sent root first, and no client could use it.
#[test]
fn a_chain_that_does_not_begin_with_the_keys_certificate_is_refused() {
    let files = Files::new();
    let key = KeyPair::generate().unwrap();
    let root = authority("root", |_| ());
    let own = named("server").signed_by(&key, &root).unwrap().pem();
    let chain = files.write("server.pem", root.pem() + &own);
    let output = process::output(vars(&[
        ("CACHE_TLS_CERT_PATH", &chain),
        ("CACHE_TLS_KEY_PATH", &files.write("server.key", key.serialize_pem())),
    ]));
    let line = String::from_utf8(output.stderr).unwrap();
    let said = format!("CACHE_TLS_CERT_PATH: {chain}: the certificate of the key is number 2 ");
    assert!(line.contains(&said), "{line}");
}

/// A resumed session passed over the certificate that it was opened with, which may have expired
/// since, as may its authority.
#[test]
fn mutual_tls_checks_the_certificate_at_every_connection() {
    run(async {
        let files = Files::new();
        let signer = authority("signer", |_| ());
        let bundle = files.write("ca.pem", signer.pem());
        let mutual = start(&[("CACHE_TLS_CLIENT_CA_PATH", &bundle)]);
        let plain = start(&[]);
        for version in [&TLS12, &TLS13] {
            let kind = second_handshake(&mutual, client_config(&signer, version)).await;
            assert_eq!(kind, HandshakeKind::Full, "{version:?}");
        }
        // That client does resume where nobody asks for its certificate.
        let kind = second_handshake(&plain, client_config(&signer, &TLS13)).await;
        assert_eq!(kind, HandshakeKind::Resumed);
    });
}

fn client_config(
    signer: &Authority,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let authority = Certificates::of_this_process().authority.as_bytes();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = named("client").signed_by(&key, signer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.into()
}

/// How the second of two connections of a client began.
async fn second_handshake(server: &Process, config: Arc<ClientConfig>) -> HandshakeKind {
    let mut kind = None;
    for _ in 0..2 {
        let socket = TcpStream::connect(server.grpc_addr()).await.unwrap();
        let name = SERVER_NAME.try_into().unwrap();
        let mut stream = TlsConnector::from(config.clone()).connect(name, socket).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        // The server's first frame; tickets come before it.
        stream.read_exact(&mut [0; 9]).await.unwrap();
        kind = stream.get_ref().1.handshake_kind();
    }
    kind.unwrap()
}
