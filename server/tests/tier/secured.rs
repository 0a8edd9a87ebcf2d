//! The connection to the tier over TLS, and with a password from a file.

use std::net::TcpListener;

use tonic::Code;

use crate::{
    nodes::{get, node, set},
    support::{certificates::Certificates, redis::Redis, run},
};

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_tier_over_tls_with_a_password_takes_writes_and_tells_of_changes() {
    run(async {
        let made = Certificates::of_this_process();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (ca, password) = (file("ca.pem", &made.authority), file("password", "open sesame\n"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port = port.to_string();
        let (certificate, key) = (made.server_certificate(), made.server_key());
        let redis = Redis::start(&[
            "--tls-port",
            &port,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &ca,
            "--tls-auth-clients",
            "no",
        ]);
        redis.ask(&["CONFIG", "SET", "requirepass", "open sesame"]);
        let site = node(
            &format!("rediss://localhost:{port}"),
            &[("CACHE_BACKEND_TLS_CA_PATH", &ca), ("CACHE_BACKEND_PASSWORD_PATH", &password)],
        );
        let mut cache = site.connect().await;
        assert_eq!(set(&mut cache, "k", "v").await, Code::Ok);
        assert_eq!(get(&mut cache, "k").await.as_deref(), Some("v"));
        assert!(redis.try_ask(&["GET", "tiny-cache::k"]).unwrap().contains("NOAUTH"));
    });
}
