//! The connection to the tier over TLS, and with a password from a file.

use std::net::TcpListener;

use tonic::Code;

use crate::{
    nodes::{fail_over, get, is_up, node, set, until, warm},
    support::{
        certificates::Certificates,
        process::Process,
        redis::{Cluster, Pem, Redis, Watched},
        run,
    },
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

/// A password that was changed is no outage like others: the log says what the server answered, once
/// for all tries.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_password_that_no_longer_holds_is_named_in_the_log() {
    let redis = Redis::start(&[]);
    redis.ask(&["ACL", "SETUSER", "node", "on", ">old", "~*", "&*", "+@all"]);
    let url = format!("redis://node:old@127.0.0.1:{}", redis.port());
    let mut node = Process::start(&[("CACHE_BACKEND", "redis"), ("CACHE_BACKEND_URL", &url)]);
    node.await_logged("the backend is there, and tells of changes");

    redis.ask(&["ACL", "SETUSER", "node", "resetpass", ">new"]);
    redis.ask(&["CLIENT", "KILL", "USER", "node"]);
    let lines = node.logged_until("cannot connect to the backend");
    let problem = &lines.last().unwrap()["fields"]["problem"];
    assert!(problem.as_str().unwrap().contains("WRONGPASS"), "{problem}");

    redis.ask(&["ACL", "SETUSER", "node", "resetpass", ">old"]);
    let after = node.logged_until("the backend is there, and tells of changes");
    let again = after.iter().filter(|line| line["fields"]["problem"] == *problem);
    assert_eq!(again.count(), 0, "{after:#?}");
}

/// The files of servers that have the loopback address in their certificate.
fn pem() -> Pem {
    let made = Certificates::of_this_process();
    Pem {
        authority: made.client_authority(),
        certificate: made.server_certificate(),
        key: made.server_key(),
    }
}

/// Each primary is connected to by the address that the cluster names.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_cluster_over_tls_takes_writes_on_every_primary_and_tells_of_changes() {
    run(async {
        let pem = pem();
        let cluster = Cluster::start_over(Some(&pem));
        let trusted = [("CACHE_BACKEND_TLS_CA_PATH", &*pem.authority)];
        let (one, other) = (node(&cluster.url(), &trusted), node(&cluster.url(), &trusted));
        let (mut writer, mut reader) = (one.connect().await, other.connect().await);
        for n in 0..30 {
            let name = format!("k{n}");
            assert_eq!(set(&mut writer, &name, "old").await, Code::Ok);
            warm(&other, &mut reader, &name).await;
            assert_eq!(set(&mut writer, &name, "new").await, Code::Ok);
            until("it is told", async || get(&mut reader, &name).await.as_deref() == Some("new"))
                .await;
        }
        let victim = cluster.primaries()[0];
        assert_eq!(cluster.nodes()[victim].cut_tracking(), 2);
        until("it is listened to again", async || is_up(&one).await && is_up(&other).await).await;
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn sentinels_over_tls_lead_to_the_server_and_after_its_end_to_its_replica() {
    run(async {
        let pem = pem();
        let mut watched = Watched::start_over(Some(&pem));
        let site = node(&watched.url(), &[("CACHE_BACKEND_TLS_CA_PATH", &pem.authority)]);
        fail_over(&mut watched, &site).await;
    });
}
