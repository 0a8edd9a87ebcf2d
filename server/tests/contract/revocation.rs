//! Clients whose certificate is revoked, or whose authority is gone: new handshakes are refused,
//! and connections that are open end.

use std::time::{Duration, Instant};

use prost::Message;
use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};
use tiny_cache_test_support::certificates::Authority;
use tokio::time::timeout;

use crate::support::{
    certificates::Identity,
    messages::key,
    mount::{Mount, TlsClient},
    process::{self, Process},
    rotation::{CANNOT_BE_USED, READ_AGAIN, call, call_once, metric, server_of, start},
    run,
    wire::{Wire, framed},
};

const ENDED: &str = "connections end: their certificate is not accepted any more";

const PATIENCE: Duration = Duration::from_secs(30);

/// Both transports.
const TRANSPORTS: [&[(&str, &str)]; 2] = [&[], &[("CACHE_TRANSPORT", "hyper")]];

/// A server, its files, and who signs.
struct Site {
    servers: Authority,
    own: Identity,
    mount: Mount,
    server: Process,
}

impl Site {
    fn start(ca: &str, list: Option<&str>, vars: &[(&str, &str)]) -> Self {
        let servers = Authority::new("servers");
        let own = server_of(&servers);
        let mount = Mount::holding(&files(&own, ca, list));
        let server = start(&mount, vars);
        Self { servers, own, mount, server }
    }

    /// Replaces the authorities and the list, and waits until they are in use.
    fn change(&mut self, ca: &str, list: Option<&str>) {
        self.mount.swap(&files(&self.own, ca, list));
        self.server.signal(Signal::HUP);
    }

    fn client(&self, identity: &Identity) -> TlsClient {
        TlsClient::trusting(&self.servers.pem(), Some(identity))
    }

    async fn wire(&self, identity: &Identity) -> Wire {
        let stream = self.client(identity).connect(self.server.grpc_addr()).await.unwrap();
        Wire::connect(stream).await.unwrap()
    }
}

fn files<'a>(own: &'a Identity, ca: &'a str, list: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut files =
        vec![("tls.crt", own.certificate.as_str()), ("tls.key", &own.key), ("ca.crt", ca)];
    files.extend(list.map(|list| ("crl.pem", list)));
    files
}

#[test]
fn a_revoked_client_is_refused_and_its_open_connections_end() {
    run(async {
        for transport in TRANSPORTS {
            let clients = Authority::new("clients");
            let [good, bad] = [clients.sign(&["good"]), clients.sign(&["bad"])];
            let (before, after) = (clients.revoke(&[], 2999), clients.revoke(&[&bad], 2999));
            let ca = clients.pem();
            let mut site = Site::start(&ca, Some(&before), transport);
            let mut kept = site.wire(&good).await;
            let mut ending = [site.wire(&bad).await, site.wire(&bad).await];
            for wire in ending.iter_mut().chain([&mut kept]) {
                call(wire).await.unwrap();
            }
            site.change(&ca, Some(&after));
            let lines = site.server.logged_until(ENDED);
            assert_eq!(lines.last().unwrap()["fields"]["connections"], 2);
            for wire in &mut ending {
                // By GOAWAY and a close.
                timeout(PATIENCE, wire.ended()).await.expect("it ends").unwrap();
            }
            call(&mut kept).await.unwrap();
            for version in [&TLS12, &TLS13] {
                let of = |identity| {
                    TlsClient::of_versions(&site.servers.pem(), Some(identity), &[version])
                };
                call_once(&of(&good), &site.server).await.unwrap();
                call_once(&of(&bad), &site.server).await.unwrap_err();
            }
            call(&mut kept).await.unwrap();
        }
    });
}

#[test]
fn connections_end_whose_authority_is_taken_out() {
    run(async {
        let [one, two] = ["one", "two"].map(Authority::new);
        let both = one.pem() + &two.pem();
        let mut site = Site::start(&both, None, &[]);
        let [of_one, of_two] = [one.sign(&["client"]), two.sign(&["client"])];
        let (mut kept, mut ending) = (site.wire(&of_one).await, site.wire(&of_two).await);
        call(&mut kept).await.unwrap();
        call(&mut ending).await.unwrap();
        site.change(&one.pem(), None);
        site.server.logged_until(ENDED);
        site.server.logged_until(READ_AGAIN);
        timeout(PATIENCE, ending.ended()).await.expect("it ends").unwrap();
        call_once(&site.client(&of_two), &site.server).await.unwrap_err();
        call(&mut kept).await.unwrap();
        // It may come back.
        site.change(&both, None);
        site.server.logged_until(READ_AGAIN);
        call_once(&site.client(&of_two), &site.server).await.unwrap();
    });
}

/// The call that is under way is answered; one that never ends is cut off when the grace is over.
#[test]
fn calls_in_flight_of_a_revoked_client_have_the_grace() {
    run(async {
        for transport in TRANSPORTS {
            let clients = Authority::new("clients");
            let (ca, bad) = (clients.pem(), clients.sign(&["bad"]));
            let vars = [transport, &[("CACHE_SHUTDOWN_GRACE_SECONDS", "2")]].concat();
            let mut site = Site::start(&ca, Some(&clients.revoke(&[], 2999)), &vars);
            let (mut ends, mut hangs) = (site.wire(&bad).await, site.wire(&bad).await);
            let body = framed(false, &key("k").encode_to_vec());
            let begun = body.slice(..6);
            let (reply, mut rest) =
                ends.stall("/cache.CacheService/Get", begun.clone()).await.unwrap();
            let held = hangs.stall("/cache.CacheService/Get", begun).await.unwrap();
            ends.ping().await.unwrap();
            hangs.ping().await.unwrap();
            site.change(&ca, Some(&clients.revoke(&[&bad], 2999)));
            site.server.logged_until(ENDED);
            let since = Instant::now();
            rest.send_data(body.slice(6..), true).unwrap();
            assert_eq!(reply.await.unwrap().status(), 200);
            timeout(PATIENCE, ends.ended()).await.expect("it ends").unwrap();
            let _cut = timeout(PATIENCE, hangs.ended()).await.expect("it ends");
            assert!(since.elapsed() > Duration::from_secs(1), "{:?}", since.elapsed());
            drop(held);
        }
    });
}

/// A list of another authority of the same name, such as that of a test, would have kept out every
/// client and ended its connections.
#[test]
fn a_list_that_its_authority_has_not_signed_changes_nothing() {
    run(async {
        let [old, new] = ["clients", "clients"].map(Authority::new);
        let [of_old, of_new] = [old.sign(&["client"]), new.sign(&["client"])];
        let [old_list, new_list] = [old.revoke(&[], 2999), new.revoke(&[], 2999)];
        let mut site = Site::start(&old.pem(), Some(&old_list), &[]);
        let mut kept = site.wire(&of_old).await;
        for (file, ca, list) in [("crl", old.pem(), &new_list), ("client_ca", new.pem(), &old_list)]
        {
            site.change(&ca, Some(list));
            let lines = site.server.logged_until(CANNOT_BE_USED);
            let fields = &lines.last().unwrap()["fields"];
            let problem = fields["problem"].as_str().unwrap();
            assert_eq!(fields["file"], file, "{problem}");
            let said = "revocation list 1 (CN=clients) is not signed by certificate 1 of";
            assert!(problem.contains(said), "{problem}");
            call(&mut kept).await.unwrap();
            call_once(&site.client(&of_old), &site.server).await.unwrap();
            call_once(&site.client(&of_new), &site.server).await.unwrap_err();
            // Both failures end when the old files are back.
            site.change(&old.pem(), Some(&old_list));
            site.server.logged_until(READ_AGAIN);
        }
        // Together they are a new authority.
        site.change(&new.pem(), Some(&new_list));
        site.server.logged_until(READ_AGAIN);
        timeout(PATIENCE, kept.ended()).await.expect("it ends").unwrap();
        call_once(&site.client(&of_new), &site.server).await.unwrap();
        call_once(&site.client(&of_old), &site.server).await.unwrap_err();

        // Neither is there a start with them.
        site.mount.swap(&files(&site.own, &new.pem(), Some(&old_list)));
        let paths = ["tls.crt", "tls.key", "ca.crt", "crl.pem"].map(|name| site.mount.path(name));
        let [certificate, key, ca, list] = &paths;
        let output = process::output([
            ("CACHE_TLS_ENABLED", "true"),
            ("CACHE_TLS_CERT_PATH", certificate),
            ("CACHE_TLS_KEY_PATH", key),
            ("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true"),
            ("CACHE_TLS_CLIENT_CA_PATH", ca),
            ("CACHE_TLS_CRL_PATH", list),
        ]);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.contains(&format!("CACHE_TLS_CRL_PATH: {list}: revocation list 1")), "{line}");
    });
}

/// A list that is missing must not pass for one without revocations.
#[test]
fn clients_of_an_authority_without_a_list_are_refused_and_it_is_said() {
    run(async {
        let [listed, unlisted] = ["listed", "unlisted"].map(Authority::new);
        let ca = listed.pem() + &unlisted.pem();
        let list = listed.revoke(&[], 2999);
        let mut site = Site::start(&ca, Some(&list), &[]);
        let [one, two] = [listed.sign(&["client"]), unlisted.sign(&["client"])];
        call_once(&site.client(&one), &site.server).await.unwrap();
        call_once(&site.client(&two), &site.server).await.unwrap_err();
        let warned = site.server.logged().into_iter().any(|line| {
            let text = line["fields"]["message"].as_str().unwrap_or_default();
            line["level"] == "WARN"
                && text.starts_with("CACHE_TLS_CRL_PATH: ")
                && text.contains("no revocation list of certificate 2 (CN=unlisted)")
        });
        assert!(warned, "{:#?}", site.server.logged());
        // With a list of its own it is served.
        site.change(&ca, Some(&(list + &unlisted.revoke(&[], 2999))));
        site.server.logged_until(READ_AGAIN);
        call_once(&site.client(&two), &site.server).await.unwrap();
    });
}

/// An outage of whoever makes the lists must not become one of the cache.
#[test]
fn a_list_whose_successor_is_overdue_is_used_with_a_warning_and_a_metric() {
    run(async {
        let clients = Authority::new("clients");
        let [good, bad] = [clients.sign(&["good"]), clients.sign(&["bad"])];
        let list = clients.revoke(&[&bad], 2021);
        let mut site = Site::start(&clients.pem(), Some(&list), &[]);
        call_once(&site.client(&good), &site.server).await.unwrap();
        call_once(&site.client(&bad), &site.server).await.unwrap_err();
        let text = "revocation list 1 (CN=clients) should have been replaced by 2021-01-01";
        let lines = site.server.logged();
        assert!(lines.iter().any(|line| {
            line["level"] == "WARN" && line["fields"]["message"].as_str().unwrap().contains(text)
        }));
        let series = "crl_next_update_timestamp_seconds{number=\"1\",issuer=\"CN=clients\"}";
        let due = metric(&site.server, series).await;
        assert!((due - 1_609_459_200.0).abs() < 0.5, "{due}");
    });
}
