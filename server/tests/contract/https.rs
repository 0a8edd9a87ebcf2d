//! The HTTP port over TLS: with the files of the gRPC port or its own, which are read again, and
//! towards peers that speak something else.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};
use tiny_cache_test_support::certificates::Authority;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    certificates::Identity,
    http::Http,
    mount::{Mount, TlsClient, der, shown},
    process::{Process, command},
    rotation::{self, CANNOT_BE_USED, READ_AGAIN, server_of},
    run,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server whose HTTP port alone has TLS, with files of its own.
struct Site {
    authority: Authority,
    own: Identity,
    mount: Mount,
    server: Process,
}

impl Site {
    fn start() -> Self {
        let authority = Authority::new("servers");
        let own = server_of(&authority);
        let mount = Mount::holding(&[("tls.crt", &own.certificate), ("tls.key", &own.key)]);
        let server = Process::start(&[
            ("CACHE_HEALTH_TLS_ENABLED", "true"),
            ("CACHE_HEALTH_TLS_CERT_PATH", &mount.path("tls.crt")),
            ("CACHE_HEALTH_TLS_KEY_PATH", &mount.path("tls.key")),
        ]);
        Self { authority, own, mount, server }
    }

    fn client(&self) -> TlsClient {
        TlsClient::trusting(&self.authority.pem(), None).of_http()
    }

    /// A client, and the certificate that the port has shown.
    async fn connect(&self) -> (Http, Vec<u8>) {
        let stream = self.client().connect(self.server.http_addr()).await.unwrap();
        let certificate = shown(&stream);
        (Http::over(stream), certificate)
    }

    async fn metric(&self, line: &str) -> bool {
        let page = self.connect().await.0.get("/metrics").await.unwrap().body;
        page.lines().any(|found| found == line)
    }
}

#[test]
fn the_http_port_answers_over_tls_with_files_of_its_own() {
    run(async {
        let site = Site::start();
        for version in [&TLS12, &TLS13] {
            let client = TlsClient::of_versions(&site.authority.pem(), None, &[version]);
            let stream = client.of_http().connect(site.server.http_addr()).await.unwrap();
            assert_eq!(shown(&stream), der(&site.own.certificate));
            // On one connection; the last page is for peers on this host.
            let mut http = Http::over(stream);
            for path in ["/ready", "/live", "/stats", "/metrics", "/log-level"] {
                let response = http.get(path).await.unwrap();
                assert_eq!(response.status, 200, "{path}");
                assert!(response.header("x-request-id").is_some());
            }
        }
        // The gRPC port has none.
        site.server.connect().await.get(crate::support::messages::key("k")).await.unwrap();
        let kind = "tiny_cache_certificate_days_left{kind=\"http\",number=\"1\",";
        let page = site.connect().await.0.get("/metrics").await.unwrap().body;
        assert!(page.contains(kind), "{page}");
    });
}

#[test]
fn certificates_of_the_http_port_are_read_again() {
    run(async {
        let mut site = Site::start();
        let (mut kept, _) = site.connect().await;
        kept.get("/live").await.unwrap();
        let new = server_of(&site.authority);
        site.mount.swap(&[("tls.crt", &new.certificate), ("tls.key", &new.key)]);
        site.server.signal(Signal::HUP);
        let lines = site.server.logged_until(READ_AGAIN);
        assert_eq!(lines.last().unwrap()["fields"]["file"], "http_certificate");
        assert_eq!(site.connect().await.1, der(&new.certificate));
        kept.get("/live").await.expect("an open connection goes on");

        site.mount.swap_with(|at| fs::write(at.join("tls.crt"), "").unwrap());
        site.server.signal(Signal::HUP);
        let lines = site.server.logged_until(CANNOT_BE_USED);
        let problem = lines.last().unwrap()["fields"]["problem"].as_str().unwrap();
        assert!(problem.starts_with("CACHE_HEALTH_TLS_"), "{problem}");
        assert_eq!(site.connect().await.1, der(&new.certificate));
        assert!(site.metric("tiny_cache_reload_failed{file=\"http_certificate\"} 1").await);
    });
}

#[test]
fn both_ports_share_their_files_and_what_is_new_in_them() {
    run(async {
        let authority = Authority::new("servers");
        let [old, new] = [server_of(&authority), server_of(&authority)];
        let mount = Mount::holding(&[("tls.crt", &old.certificate), ("tls.key", &old.key)]);
        let mut server = rotation::start(&mount, &[("CACHE_HEALTH_TLS_ENABLED", "yes")]);
        let client = TlsClient::trusting(&authority.pem(), None);
        let http = client.clone().of_http();
        let both = async |server: &Process| {
            let grpc = client.connect(server.grpc_addr()).await.unwrap();
            let http = http.connect(server.http_addr()).await.unwrap();
            [shown(&grpc), shown(&http)]
        };
        assert_eq!(both(&server).await, [der(&old.certificate), der(&old.certificate)]);
        mount.swap(&[("tls.crt", &new.certificate), ("tls.key", &new.key)]);
        server.signal(Signal::HUP);
        server.logged_until(READ_AGAIN);
        assert_eq!(both(&server).await, [der(&new.certificate), der(&new.certificate)]);
        let read = |line: &&serde_json::Value| line["fields"]["message"] == READ_AGAIN;
        assert_eq!(server.logged().iter().filter(read).count(), 1, "the files are one subject");
    });
}

/// A probe or a scraper that was not told of TLS must see what is wrong.
#[test]
fn a_peer_that_speaks_plain_http_is_told_to_use_https() {
    run(async {
        let site = Site::start();
        let mut plain = Http::connect(site.server.http_addr()).await.unwrap();
        let response = plain.get("/ready").await.unwrap();
        assert_eq!(response.status, 400);
        assert!(response.body.contains("use https://"), "{}", response.body);
        assert!(response.header("x-request-id").is_some());
        assert_eq!(response.header("connection"), Some("close"));
        plain.get("/ready").await.expect_err("the connection is closed");
    });
}

#[test]
fn peers_that_do_not_shake_hands_are_closed_and_hold_up_nobody() {
    run(async {
        let site = Site::start();
        let connect = async || TcpStream::connect(site.server.http_addr()).await.unwrap();
        let (silent, mut half, mut noise) = (connect().await, connect().await, connect().await);
        // The head of a ClientHello of 512 bytes.
        half.write_all(&[22, 3, 1, 2, 0, 1, 0]).await.unwrap();
        noise.write_all(&[0xff; 64]).await.unwrap();
        let begun = Instant::now();
        let (mut http, _) = site.connect().await;
        assert_eq!(http.get("/ready").await.unwrap().status, 200);
        for mut socket in [silent, half, noise] {
            let mut said = Vec::new();
            let read = timeout(PATIENCE, socket.read_to_end(&mut said)).await;
            let _closed_or_reset = read.expect("it is closed");
        }
        assert!(begun.elapsed() < PATIENCE);
        assert_eq!(site.connect().await.0.get("/live").await.unwrap().status, 200);
    });
}

#[test]
fn healthcheck_asks_over_tls() {
    run(async {
        let site = Site::start();
        let port = site.server.http_addr().port().to_string();
        let check = |tls: &str| {
            let vars = [
                ("CACHE_HEALTH_HOST", "127.0.0.1"),
                ("CACHE_HEALTH_PORT", &port),
                ("CACHE_HEALTH_TLS_ENABLED", tls),
            ];
            command(vars).arg("healthcheck").output().unwrap()
        };
        let checked = check("true");
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
        // Its server speaks TLS, and it was told otherwise.
        assert_eq!(check("false").status.code(), Some(1));
        let plain = Process::start(&[]);
        let port = plain.http_addr().port().to_string();
        let vars = [
            ("CACHE_HEALTH_HOST", "127.0.0.1"),
            ("CACHE_HEALTH_PORT", &port),
            ("CACHE_HEALTH_TLS_ENABLED", "true"),
        ];
        let checked = command(vars).arg("healthcheck").output().unwrap();
        let said = String::from_utf8(checked.stderr).unwrap();
        assert_eq!(checked.status.code(), Some(1), "{said}");
        assert!(said.contains("https://127.0.0.1:") && said.contains("over TLS"), "{said}");
    });
}
