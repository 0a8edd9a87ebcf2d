//! Certificates and authorities that are replaced under a running server.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};
use serde_json::Value;
use tiny_cache_test_support::certificates::Authority;
use tokio::time::sleep;

use crate::support::{
    certificates::Identity,
    http::Http,
    mount::{Mount, TlsClient, der, fill},
    process::Process,
    rotation::{CANNOT_BE_USED, READ_AGAIN, call, call_once, metric, reloads, server_of, start},
    run,
    wire::Wire,
};

async fn until_metric(server: &Process, series: &str, wanted: f64) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while metric(server, series).await < wanted {
        assert!(Instant::now() < give_up, "{series} never was {wanted}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn rotation_under_load_fails_no_call() {
    run(rotate_under_load(&[]));
}

#[test]
fn rotation_under_load_fails_no_call_by_hyper() {
    run(rotate_under_load(&[("CACHE_TRANSPORT", "hyper")]));
}

const ROTATIONS: usize = 20;

fn borrow<'a>(files: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    files.iter().map(|(name, text)| (*name, text.as_str())).collect()
}

async fn rotate_under_load(vars: &[(&str, &str)]) {
    let [servers, clients, others] = ["servers", "clients", "others"].map(Authority::new);
    let files = |round: usize| {
        let own = server_of(&servers);
        let other = if round.is_multiple_of(2) { others.pem() } else { String::new() };
        [("tls.crt", own.certificate), ("tls.key", own.key), ("ca.crt", other + &clients.pem())]
    };
    let mount = Mount::holding(&borrow(&files(0)));
    let server = start(&mount, vars);
    let client = clients.sign(&["client"]);
    let of = |version| TlsClient::of_versions(&servers.pem(), Some(&client), &[version]);
    let over = AtomicBool::new(false);

    // One that stays on the connection that it has.
    let steady = async {
        let stream = of(&TLS13).connect(server.grpc_addr()).await.unwrap();
        let mut wire = Wire::connect(stream).await.unwrap();
        let mut calls = 0;
        while !over.load(Ordering::Relaxed) {
            call(&mut wire).await.unwrap();
            calls += 1;
        }
        calls
    };
    // Others that come anew for each call.
    let fresh = async |version| {
        let (client, mut seen) = (of(version), HashSet::new());
        while !over.load(Ordering::Relaxed) {
            seen.insert(call_once(&client, &server).await.unwrap());
        }
        seen.len()
    };
    let rotation = async {
        for round in 1..=ROTATIONS {
            mount.swap(&borrow(&files(round)));
            server.signal(Signal::HUP);
            sleep(Duration::from_millis(200)).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (calls, by_12, by_13, ()) = tokio::join!(steady, fresh(&TLS12), fresh(&TLS13), rotation);
    assert!(calls > ROTATIONS, "{calls} calls");
    assert!(by_12 > ROTATIONS / 2 && by_13 > ROTATIONS / 2, "{by_12} and {by_13} certificates");
    for file in ["certificate", "client_ca"] {
        let ok = metric(&server, &reloads(file, "ok")).await;
        assert!(ok > ROTATIONS as f64 / 2.0, "{ok} reloads of {file}");
        assert!(metric(&server, &reloads(file, "failed")).await < 0.5, "{file}");
    }
}

/// The start alone read them, and a restart empties the cache.
#[test]
fn a_certificate_that_is_replaced_as_kubernetes_does_it_is_used_without_a_signal() {
    run(async {
        let authority = Authority::new("servers");
        let [old, new] = [server_of(&authority), server_of(&authority)];
        let mount = Mount::holding(&[("tls.crt", &old.certificate), ("tls.key", &old.key)]);
        let mut server = start(&mount, &[]);
        let client = TlsClient::trusting(&authority.pem(), None);
        assert_eq!(call_once(&client, &server).await.unwrap(), der(&old.certificate));
        let mut page = Http::connect(server.http_addr()).await.unwrap();
        let page = page.get("/metrics").await.unwrap().body;
        for result in ["ok", "failed"] {
            let series = format!("tiny_cache_{} 0", reloads("certificate", result));
            assert!(page.lines().any(|line| line == series), "{page}");
        }
        let name = |number: &str| format!("kind=\"server\",number=\"{number}\"");
        assert!(page.contains(&name("1")) && !page.contains(&name("2")), "{page}");

        let chain = new.certificate.clone() + &authority.pem();
        mount.swap(&[("tls.crt", &chain), ("tls.key", &new.key)]);
        until_metric(&server, &reloads("certificate", "ok"), 1.0).await;
        assert_eq!(call_once(&client, &server).await.unwrap(), der(&new.certificate));
        // The figures are those of the new file.
        let series = "certificate_days_left{kind=\"server\",number=\"2\",subject=\"CN=servers\"}";
        assert!(metric(&server, series).await > 1.0);
        let lines = server.logged_until(READ_AGAIN);
        let fields = &lines.last().unwrap()["fields"];
        assert_eq!(
            (&lines.last().unwrap()["level"], &fields["file"]),
            (&Value::from("INFO"), &Value::from("certificate"))
        );
        assert!(lines.iter().any(|line| {
            line["fields"]["message"] == "certificates read; the first to expire"
                && line["fields"]["count"] == 2
        }));
    });
}

/// certbot's files are written one after the other, and editors write in place.
#[test]
fn files_that_are_written_one_after_the_other_are_no_failure() {
    run(async {
        let authority = Authority::new("servers");
        let [old, new] = [server_of(&authority), server_of(&authority)];
        let mount = Mount::holding(&[("tls.crt", &old.certificate), ("tls.key", &old.key)]);
        let server = start(&mount, &[]);
        let client = TlsClient::trusting(&authority.pem(), None);
        fs::write(mount.path("tls.crt"), &new.certificate).unwrap();
        // A look at the files, and one more that may have begun before.
        sleep(Duration::from_millis(2200)).await;
        assert_eq!(call_once(&client, &server).await.unwrap(), der(&old.certificate));
        fs::write(mount.path("tls.key"), &new.key).unwrap();
        until_metric(&server, &reloads("certificate", "ok"), 1.0).await;
        assert_eq!(call_once(&client, &server).await.unwrap(), der(&new.certificate));
        assert!(metric(&server, &reloads("certificate", "failed")).await < 0.5);
    });
}

type Break = (&'static str, &'static str, fn(&Path, &Identity));

/// What is wrong, the words that say so, and how it is done to good files.
const BROKEN: [Break; 8] = [
    ("certificate", "the file may be cut off", |at, own| {
        let half = &own.certificate[..own.certificate.len() / 2];
        fs::write(at.join("tls.crt"), half).unwrap();
    }),
    ("certificate", "the private key is not that of the certificate", |at, _| {
        let other = Authority::new("others").sign(&["x"]);
        fs::write(at.join("tls.key"), other.key).unwrap();
    }),
    ("certificate", "it is empty", |at, _| fs::write(at.join("tls.crt"), "").unwrap()),
    ("certificate", "it is a directory", |at, _| {
        fs::remove_file(at.join("tls.crt")).unwrap();
        fs::create_dir(at.join("tls.crt")).unwrap();
    }),
    ("certificate", "No such file", |at, _| fs::remove_file(at.join("tls.key")).unwrap()),
    ("client_ca", "no certificate in PEM form", |at, own| {
        fs::write(at.join("ca.crt"), &own.key).unwrap();
    }),
    ("crl", "it has CERTIFICATE", |at, own| {
        fs::write(at.join("crl.pem"), &own.certificate).unwrap();
    }),
    ("crl", "No such file", |at, _| fs::remove_file(at.join("crl.pem")).unwrap()),
];

#[test]
fn what_cannot_be_used_changes_nothing_and_is_said_once() {
    run(async {
        let [servers, clients] = ["servers", "clients"].map(Authority::new);
        let own = server_of(&servers);
        let list = clients.revoke(&[], 2999);
        let good = [
            ("tls.crt", own.certificate.as_str()),
            ("tls.key", &own.key),
            ("ca.crt", &clients.pem()),
            ("crl.pem", &list),
        ];
        let mount = Mount::holding(&good);
        let mut server = start(&mount, &[]);
        let client = TlsClient::trusting(&servers.pem(), Some(&clients.sign(&["client"])));
        for (file, words, spoil) in BROKEN {
            let failed = metric(&server, &reloads(file, "failed")).await;
            mount.swap_with(|at| {
                fill(at, &good);
                spoil(at, &own);
            });
            server.signal(Signal::HUP);
            let lines = server.logged_until(CANNOT_BE_USED);
            let last = lines.last().unwrap();
            let problem = last["fields"]["problem"].as_str().unwrap();
            assert_eq!((&last["level"], &last["fields"]["file"]), (&"ERROR".into(), &file.into()));
            assert!(problem.starts_with("CACHE_TLS_") && problem.contains(words), "{problem}");
            assert_eq!(
                call_once(&client, &server).await.unwrap(),
                der(&own.certificate),
                "{words}"
            );
            until_metric(&server, &format!("reload_failed{{file=\"{file}\"}}"), 1.0).await;
            let now = metric(&server, &reloads(file, "failed")).await;
            assert!((now - failed - 1.0).abs() < 0.1, "{words}: {failed}, then {now}");

            mount.swap(&good);
            server.signal(Signal::HUP);
            server.logged_until(READ_AGAIN);
            assert!(metric(&server, &format!("reload_failed{{file=\"{file}\"}}")).await < 0.5);
        }

        // Without a signal it is given some seconds to become whole, and is then said once.
        let failed = metric(&server, &reloads("certificate", "failed")).await;
        mount.swap_with(|at| {
            fill(at, &good);
            (BROKEN[0].2)(at, &own);
        });
        until_metric(&server, &reloads("certificate", "failed"), failed + 1.0).await;
        sleep(Duration::from_millis(2500)).await;
        assert!(metric(&server, &reloads("certificate", "failed")).await < failed + 1.5);
        let lines = server.logged();
        let said = lines.iter().filter(|line| line["fields"]["message"] == CANNOT_BE_USED);
        assert_eq!(said.count(), BROKEN.len() + 1);
        assert_eq!(call_once(&client, &server).await.unwrap(), der(&own.certificate));
    });
}
