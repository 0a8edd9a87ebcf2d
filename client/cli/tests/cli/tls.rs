//! TLS, with certificates made for each test.

use std::fs;

use tempfile::TempDir;
use tiny_cache_test_support::{
    certificates::Authority,
    process::{Ended, Run},
};

use crate::cache::{Cache, command};

/// A server that speaks TLS, and wants to see a certificate where that is said.
struct Secured {
    dir: TempDir,
    cache: Cache,
}

impl Secured {
    fn start(client_auth: &str) -> Self {
        Self::start_with(client_auth, &[])
    }

    fn start_with(client_auth: &str, more: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new("an authority");
        fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        fs::write(dir.path().join("stranger.pem"), Authority::new("another").pem()).unwrap();
        authority.sign(&["cache.test", "127.0.0.1"]).write(dir.path(), "server");
        authority.sign(&["client"]).write(dir.path(), "client");
        let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (certificate, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
        let mut settings = vec![
            ("CACHE_TLS_ENABLED", "true"),
            ("CACHE_TLS_CERT_PATH", &*certificate),
            ("CACHE_TLS_KEY_PATH", &*key),
            ("CACHE_TLS_REQUIRE_CLIENT_AUTH", client_auth),
        ];
        // Without client authentication a server refuses the setting as one without effect.
        if client_auth == "true" {
            settings.push(("CACHE_TLS_CLIENT_CA_PATH", &*ca));
        }
        settings.extend(more);
        let cache = Cache::start_with(&settings);
        Self { dir, cache }
    }

    /// Runs `ping` in the directory of the certificates.
    fn ping(&self, target: &str, args: &[&str]) -> Ended {
        let target = format!("{target}:{}", self.cache.port());
        let mut command = command(["health", "--target", &target]);
        command.args(args).current_dir(self.dir.path()).run()
    }
}

#[test]
fn any_tls_option_or_the_address_turns_tls_on() {
    let secured = Secured::start("false");
    secured.ping("127.0.0.1", &["--ca", "ca.pem"]).ended(0, "serving\n");
    secured.ping("127.0.0.1", &["--tls", "--ca", "ca.pem"]).ended(0, "serving\n");
    secured.ping("grpcs://127.0.0.1", &["--ca", "ca.pem"]).ended(0, "serving\n");
}

#[test]
fn a_name_that_the_certificate_lacks_is_refused_unless_another_is_expected() {
    let secured = Secured::start("false");
    let run = secured.ping("localhost", &["--ca", "ca.pem"]);
    assert!(run.error().contains("cannot connect to grpcs://localhost"), "{run:?}");
    let named = ["--ca", "ca.pem", "--server-name", "cache.test"];
    secured.ping("localhost", &named).ended(0, "serving\n");
}

#[test]
fn an_authority_that_is_not_trusted_is_refused() {
    let secured = Secured::start("false");
    let run = secured.ping("127.0.0.1", &["--ca", "stranger.pem"]);
    assert!(run.error().contains("the TLS options"), "{run:?}");
}

#[test]
fn the_page_of_namespaces_is_asked_for_over_tls() {
    let secured = Secured::start_with("false", &[("CACHE_HEALTH_TLS_ENABLED", "true")]);
    let ask = |scheme: &str, args: &[&str]| {
        let http = format!("{scheme}{}", secured.cache.http_address());
        let mut command = command(["namespaces", "--http", &http]);
        command.args(args).current_dir(secured.dir.path()).run()
    };
    let shown = ask("https://", &["--ca", "ca.pem"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.text().contains("_shared"), "{shown:?}");
    let ftp = ask("ftp://", &[]);
    assert!(ftp.error().contains("it is HOST:PORT or https://HOST:PORT"), "{ftp:?}");
    let plain = ask("", &[]);
    assert!(plain.error().contains("https"), "{plain:?}");
    assert!(plain.error().contains("cannot read http://127.0.0.1:"), "{plain:?}");
    assert!(plain.error().contains("CACHE_HEALTH_TLS_ENABLED"), "{plain:?}");
    let stranger = ask("https://", &["--ca", "stranger.pem"]);
    assert!(stranger.error().contains("cannot read https://127.0.0.1:"), "{stranger:?}");
}

#[test]
fn a_client_shows_its_certificate() {
    let secured = Secured::start("true");
    let shown = ["--ca", "ca.pem", "--cert", "client.pem", "--key", "client.key"];
    secured.ping("127.0.0.1", &shown).ended(0, "serving\n");
    secured.ping("127.0.0.1", &["--ca", "ca.pem"]).error();
}

#[test]
fn tls_options_that_contradict_are_refused_with_the_remedy() {
    let secured = Secured::start("false");
    for (target, args, remedy) in [
        ("grpc://127.0.0.1", &["--tls"][..], "write grpcs:// in front of the address"),
        ("127.0.0.1", &["--cert", "client.pem"], "--cert client.pem needs its key: add --key"),
        ("127.0.0.1", &["--key", "client.key"], "add --cert"),
        ("127.0.0.1", &["--ca", "none.pem"], "cannot read none.pem"),
        ("127.0.0.1", &["--ca", "client.key"], "client.key: no certificate in PEM form"),
        ("127.0.0.1", &["--ca", "ca.pem", "--server-name", "a b"], "bad TLS server name `a b`"),
    ] {
        let run = secured.ping(target, args);
        assert!(run.error().contains(remedy), "{run:?}");
    }
}

#[test]
fn tls_against_a_plain_server_says_so() {
    let cache = Cache::start();
    let target = format!("grpcs://{}", cache.address().trim_start_matches("grpc://"));
    let run = cache.run(["health", "--target", &target]);
    assert!(run.error().contains(": the server does not speak TLS; check"), "{run:?}");
}

/// A shell that always talks to the same server had to repeat every option.
#[test]
fn variables_stand_in_for_the_tls_options() {
    let secured = Secured::start("true");
    let ping = |variables: &[(&str, &str)], args: &[&str]| {
        let target = format!("127.0.0.1:{}", secured.cache.port());
        let mut command = command(["health"]);
        command.args(args).env("TINY_CACHE_TARGET", target).current_dir(secured.dir.path());
        command.envs(variables.iter().copied()).run()
    };
    let (ca, cert) = (("TINY_CACHE_CA", "ca.pem"), ("TINY_CACHE_CERT", "client.pem"));
    let key = ("TINY_CACHE_KEY", "client.key");
    ping(&[ca, cert, key], &[]).ended(0, "serving\n");
    ping(&[("TINY_CACHE_TLS", "Yes"), ca, cert, key], &[]).ended(0, "serving\n");
    ping(&[ca, cert], &["--key", "client.key"]).ended(0, "serving\n");
    ping(&[("TINY_CACHE_CA", "none.pem"), cert, key], &["--ca", "ca.pem"]).ended(0, "serving\n");
    ping(&[ca, cert, key, ("TINY_CACHE_SERVER_NAME", "cache.test")], &[]).ended(0, "serving\n");
    ping(&[ca, cert, key, ("TINY_CACHE_TLS", "")], &[]).ended(0, "serving\n");
    ping(&[ca, cert, key, ("TINY_CACHE_TLS", "no")], &["--tls"]).ended(0, "serving\n");
    for (variables, args, expected) in [
        (&[("TINY_CACHE_CA", "none.pem")][..], &[][..], "TINY_CACHE_CA: cannot read none.pem"),
        (
            &[ca, cert],
            &[],
            "TINY_CACHE_CERT client.pem needs its key: add --key, or set TINY_CACHE_KEY",
        ),
        (&[ca, key], &[], "TINY_CACHE_KEY client.key has no certificate: add --cert, or set"),
        (&[ca, ("TINY_CACHE_TLS", "no")], &[], "TINY_CACHE_TLS is off, but TINY_CACHE_CA is set"),
        (&[("TINY_CACHE_TLS", "maybe")], &[], "TINY_CACHE_TLS: `maybe` is not a switch; expected"),
        (
            &[ca],
            &["--target", "grpc://127.0.0.1:1"],
            "grpc://127.0.0.1:1 is plain, but TINY_CACHE_CA asks for TLS; leave one of them out",
        ),
    ] {
        let run = ping(variables, args);
        assert!(run.error().starts_with(expected), "{run:?}");
    }
    let mut command = command(["health"]);
    command.env("TINY_CACHE_TARGET", "grpcs://127.0.0.1:1").env("TINY_CACHE_TLS", "off");
    let expected = "TINY_CACHE_TARGET: grpcs://127.0.0.1:1 speaks TLS, but TINY_CACHE_TLS is off";
    assert!(command.run().error().starts_with(expected));
}
