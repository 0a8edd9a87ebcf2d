//! Every variable: its default, what it takes, and what it says of a wrong value.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, time::Duration};

use proptest::prelude::*;
use tracing::level_filters::LevelFilter;

use super::{memory::MIB, read::available_cores, *};
use crate::store::EvictionPolicy;

fn one(name: &str, value: &str) -> Result<Settings, SettingsError> {
    Settings::from_vars([(name, value)])
}

fn defaults() -> Settings {
    Settings::from_vars([("HOME", "/")]).unwrap()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = defaults();
    assert_eq!((settings.host.as_str(), settings.port), ("[::]", 50051));
    assert_eq!((settings.health_host.as_str(), settings.health_port), ("0.0.0.0", 8080));
    assert_eq!(settings.limits.max_bytes, 100 * MIB);
    assert_eq!(settings.limits.max_items, None);
    assert_eq!(settings.limits.max_value_bytes, 4 << 20);
    assert_eq!(settings.cleanup_interval, Duration::from_secs(10));
    assert_eq!(settings.shutdown_grace, Duration::from_secs(5));
    assert_eq!(settings.log_level, LevelFilter::INFO);
    assert_eq!(settings.log_format, LogFormat::Text);
    assert_eq!(settings.eviction_policy, EvictionPolicy::Window);
    assert_eq!(settings.tls, None);
    assert_eq!((settings.max_batch_items, settings.max_connections), (10_000, 10_000));
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert_eq!(settings.workers.get(), available_cores());
}

#[test]
fn the_largest_value_follows_a_small_memory_limit() {
    let settings = one("CACHE_MAX_MEMORY_MB", "1").unwrap();
    assert_eq!(settings.limits.max_value_bytes, 1 << 20);
    assert_eq!(settings.max_message_bytes(), 4 << 20);
    assert_eq!(defaults().max_message_bytes(), 9 << 20);
}

#[test]
fn a_wrong_value_is_refused_with_its_name_the_value_and_what_is_allowed() {
    for (name, value, allowed) in [
        ("CACHE_PORT", "65536", "a port from 0 to 65535"),
        ("CACHE_PORT", "-1", "a port from 0 to 65535"),
        ("CACHE_HEALTH_PORT", "http", "a port from 0 to 65535"),
        ("CACHE_MAX_ITEMS", "-1", "a whole number from 0"),
        ("CACHE_MAX_ITEMS", "many", "a whole number from 0"),
        ("CACHE_MAX_MEMORY_MB", "0", "a whole number from 1"),
        ("CACHE_MAX_MEMORY_MB", "1.5", "a whole number from 1"),
        ("CACHE_MAX_VALUE_BYTES", "0", "bytes from 1 to 104857600, the memory limit"),
        ("CACHE_MAX_VALUE_BYTES", "104857601", "bytes from 1 to 104857600, the memory limit"),
        ("CACHE_CLEANUP_INTERVAL", "0", "seconds from 0.01"),
        ("CACHE_CLEANUP_INTERVAL", "nan", "seconds from 0.01"),
        ("CACHE_SHUTDOWN_GRACE_SECONDS", "-1", "seconds from 0 "),
        ("CACHE_HANDSHAKE_TIMEOUT_SECONDS", "inf", "seconds from 0.01"),
        ("CACHE_LOG_LEVEL", "LOUD", "TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("CACHE_LOG_FORMAT", "xml", "text, json"),
        ("CACHE_BACKEND", "disk", "memory, redis, valkey"),
        ("CACHE_BACKEND_PREFIX", "x:", "needs CACHE_BACKEND=redis"),
        ("CACHE_BACKEND_REQUIRED", "true", "needs CACHE_BACKEND=redis"),
        ("CACHE_EVICTION_POLICY", "fifo", "window, tinylfu, lru"),
        ("CACHE_WORKERS", "0", "a whole number from 1 to 1024, or auto"),
        ("CACHE_SHARDS", "257", "a whole number from 1 to 256, or auto"),
        ("CACHE_MAX_BATCH_ITEMS", "0", "a whole number from 1"),
        ("CACHE_MAX_CONNECTIONS", "0", "a whole number from 1"),
        ("CACHE_MAX_CONCURRENT_STREAMS", "0", "a whole number from 1"),
        ("CACHE_TLS_ENABLED", "maybe", "true/false"),
        ("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true", "needs CACHE_TLS_ENABLED"),
        ("CACHE_HEALTH_TLS_ENABLED", "perhaps", "true/false"),
        ("CACHE_HEALTH_TLS_ENABLED", "true", "it needs a certificate; set CACHE_HEALTH_TLS_CERT_"),
        ("CACHE_HEALTH_TLS_CERT_PATH", "c.pem", "needs CACHE_HEALTH_TLS_ENABLED=true"),
        ("CACHE_HEALTH_TLS_KEY_PATH", "c.key", "needs CACHE_HEALTH_TLS_ENABLED=true"),
    ] {
        let error = one(name, value).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: {value:?} is not allowed: ")), "{error}");
        assert!(error.contains(allowed), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn tls_needs_its_files() {
    let error = one("CACHE_TLS_ENABLED", "yes").unwrap_err().to_string();
    assert!(error.starts_with("CACHE_TLS_CERT_PATH: \"\" is not allowed"), "{error}");
    let settings = Settings::from_vars([
        ("CACHE_TLS_ENABLED", "On"),
        ("CACHE_TLS_CERT_PATH", "cert.pem"),
        ("CACHE_TLS_KEY_PATH", "key.pem"),
    ])
    .unwrap();
    let tls = settings.tls.unwrap();
    assert_eq!((tls.certificate.to_str(), tls.client_ca), (Some("cert.pem"), None));
}

/// The files were named, the switch was not: the port was open, and nothing said so.
#[test]
fn tls_that_was_asked_for_is_never_silently_off() {
    let files = [
        "CACHE_TLS_CERT_PATH",
        "CACHE_TLS_KEY_PATH",
        "CACHE_TLS_CLIENT_CA_PATH",
        "CACHE_TLS_CRL_PATH",
    ];
    let off = [&[][..], &[("CACHE_TLS_ENABLED", "false")], &[("CACHE_TLS_ENABLED", "")]];
    for off in off {
        for file in files {
            let vars = [&[(file, "some.pem")], off].concat();
            let error = Settings::from_vars(vars).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{file}: \"some.pem\" is not allowed: ")),
                "{error}"
            );
            assert!(error.contains("needs CACHE_TLS_ENABLED=true"), "{error}");
            assert!(error.contains("or unset this"), "{error}");
        }
        let vars = [&[("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true")], off].concat();
        let error = Settings::from_vars(vars).unwrap_err().to_string();
        assert!(error.contains("needs CACHE_TLS_ENABLED=true"), "{error}");
        // What a chart sets to have it off is off.
        let vars = [&[("CACHE_TLS_REQUIRE_CLIENT_AUTH", "no"), (files[0], " ")], off].concat();
        assert_eq!(Settings::from_vars(vars).unwrap().tls, None);
    }
}

/// Clients were not asked for a certificate.
#[test]
fn an_authority_of_clients_needs_clients_that_are_asked() {
    let with = |more: &[(&'static str, &'static str)]| {
        let tls = [
            ("CACHE_TLS_ENABLED", "true"),
            ("CACHE_TLS_CERT_PATH", "cert.pem"),
            ("CACHE_TLS_KEY_PATH", "key.pem"),
            ("CACHE_TLS_CLIENT_CA_PATH", "ca.pem"),
        ];
        Settings::from_vars([&tls, more].concat())
    };
    for off in [&[][..], &[("CACHE_TLS_REQUIRE_CLIENT_AUTH", "off")]] {
        let error = with(off).unwrap_err().to_string();
        assert!(error.starts_with("CACHE_TLS_CLIENT_CA_PATH: \"ca.pem\" is not"), "{error}");
        assert!(error.contains("needs CACHE_TLS_REQUIRE_CLIENT_AUTH=true"), "{error}");
    }
    assert!(with(&[("CACHE_TLS_REQUIRE_CLIENT_AUTH", "on")]).unwrap().tls.is_some());
}

#[test]
fn revocation_lists_need_clients_that_are_asked() {
    let with = |more: &[(&'static str, &'static str)]| {
        let tls = [
            ("CACHE_TLS_ENABLED", "true"),
            ("CACHE_TLS_CERT_PATH", "cert.pem"),
            ("CACHE_TLS_KEY_PATH", "key.pem"),
            ("CACHE_TLS_CRL_PATH", "crl.pem"),
        ];
        Settings::from_vars([&tls, more].concat())
    };
    let error = with(&[]).unwrap_err().to_string();
    assert!(error.starts_with("CACHE_TLS_CRL_PATH: \"crl.pem\" is not"), "{error}");
    assert!(error.contains("needs CACHE_TLS_REQUIRE_CLIENT_AUTH=true"), "{error}");
    let client_auth =
        [("CACHE_TLS_REQUIRE_CLIENT_AUTH", "on"), ("CACHE_TLS_CLIENT_CA_PATH", "ca.pem")];
    let tls = with(&client_auth).unwrap().tls.unwrap();
    assert_eq!(tls.crl.unwrap().to_str(), Some("crl.pem"));
}

#[test]
fn the_http_port_takes_its_own_files_or_those_of_the_grpc_port() {
    let on = ("CACHE_HEALTH_TLS_ENABLED", "true");
    let grpc = [
        ("CACHE_TLS_ENABLED", "true"),
        ("CACHE_TLS_CERT_PATH", "cert.pem"),
        ("CACHE_TLS_KEY_PATH", "key.pem"),
    ];
    let own = [("CACHE_HEALTH_TLS_CERT_PATH", "own.pem"), ("CACHE_HEALTH_TLS_KEY_PATH", "own.key")];
    let files = |vars: &[(&'static str, &'static str)]| {
        let files = Settings::from_vars(vars.to_vec()).unwrap().health_tls;
        files.map(|PairFiles { certificate, key }| {
            [certificate, key].map(|path| path.to_str().unwrap().to_owned())
        })
    };
    assert_eq!(files(&grpc), None, "TLS on the gRPC port alone leaves this one as it was");
    let pair = |one: &str, two: &str| Some([one.to_owned(), two.to_owned()]);
    assert_eq!(files(&[&grpc[..], &[on]].concat()), pair("cert.pem", "key.pem"));
    assert_eq!(files(&[&own[..], &[on]].concat()), pair("own.pem", "own.key"));
    assert_eq!(files(&[&own[..], &grpc, &[on]].concat()), pair("own.pem", "own.key"));
    // One of the two files is no pair with one of the other port.
    let error = Settings::from_vars([&grpc[..], &own[..1], &[on]].concat()).unwrap_err();
    assert!(error.to_string().starts_with("CACHE_HEALTH_TLS_KEY_PATH: \"\" is"), "{error}");
}

#[test]
fn what_another_setting_makes_void_is_warned_about() {
    let warnings = |vars: &[(&str, &str)]| Settings::from_vars(vars.to_vec()).unwrap().warnings;
    for (vars, void) in [
        (&[("CACHE_MAX_ITEMS", "2000000")][..], "CACHE_MAX_ITEMS=2000000 has no effect"),
        (&[("CACHE_CLEANUP_INTERVAL", "60")], "CACHE_CLEANUP_INTERVAL=60 has no effect"),
        (
            &[("CACHE_WORKERS", "8"), ("CACHE_MAX_CONNECTIONS", "4")],
            "CACHE_WORKERS=8 has no effect beyond 4",
        ),
        (
            &[("CACHE_LOG_LEVEL_REMOTE", "yes"), ("CACHE_HEALTH_HOST", "[::1]")],
            "CACHE_LOG_LEVEL_REMOTE has no effect",
        ),
    ] {
        let warnings = warnings(vars);
        let [warning] = warnings.as_slice() else { panic!("{vars:?}: {warnings:?}") };
        assert!(warning.starts_with(void), "{warning}");
        assert_eq!(warning.lines().count(), 1, "{warning}");
    }
    for harmless in [
        &[("CACHE_MAX_ITEMS", "260000")][..],
        &[("CACHE_MAX_ITEMS", "2000000"), ("CACHE_MAX_MEMORY_MB", "400")],
        &[("CACHE_CLEANUP_INTERVAL", "10")],
        &[("CACHE_CLEANUP_INTERVAL", "0.5")],
        &[("CACHE_WORKERS", "4"), ("CACHE_MAX_CONNECTIONS", "4")],
        &[("CACHE_MAX_CONNECTIONS", "1")],
        &[("CACHE_LOG_LEVEL_REMOTE", "yes")],
        &[("CACHE_LOG_LEVEL_REMOTE", "no"), ("CACHE_HEALTH_HOST", "127.0.0.1")],
    ] {
        assert_eq!(warnings(harmless), Vec::<String>::new(), "{harmless:?}");
    }
}

#[test]
fn a_blank_value_counts_as_unset_and_white_space_around_one_does_not_count() {
    assert_eq!(one("CACHE_PORT", "  ").unwrap(), defaults());
    assert_eq!(one("CACHE_PORT", " 7 ").unwrap().port, 7);
}

#[test]
fn words_are_read_in_any_case() {
    assert_eq!(one("CACHE_LOG_LEVEL", "warning").unwrap().log_level, LevelFilter::WARN);
    assert_eq!(one("CACHE_LOG_FORMAT", "JSON").unwrap().log_format, LogFormat::Json);
    assert_eq!(one("CACHE_EVICTION_POLICY", "LRU").unwrap().eviction_policy, EvictionPolicy::Lru);
}

#[test]
fn an_unknown_name_is_warned_about_with_the_nearest_known_one() {
    let settings = one("CACHE_MAX_MEMORY", "5").unwrap();
    assert_eq!(settings.limits, defaults().limits);
    let [warning] = settings.warnings.as_slice() else { panic!("{:?}", settings.warnings) };
    assert!(warning.contains("CACHE_MAX_MEMORY is not a setting"), "{warning}");
    assert!(warning.contains("did you mean CACHE_MAX_MEMORY_MB?"), "{warning}");
}

#[test]
fn what_kubernetes_injects_for_a_service_called_cache_is_explained() {
    let settings = Settings::from_vars([
        ("CACHE_SERVICE_HOST", "10.96.0.7"),
        ("CACHE_PORT_50051_TCP_ADDR", "10.96.0.7"),
    ])
    .unwrap();
    assert!(settings.warnings.iter().all(|w| w.contains("enableServiceLinks: false")));
    let error = one("CACHE_PORT", "tcp://10.96.0.7:50051").unwrap_err().to_string();
    assert!(error.contains("tcp://10.96.0.7:50051"), "{error}");
    assert!(error.contains("enableServiceLinks: false"), "{error}");
}

/// An environment with a name twice stopped the start with a panic.
#[test]
fn a_name_that_is_set_twice_is_refused() {
    let twice =
        |first, second| Settings::from_vars([("CACHE_PORT", first), ("CACHE_PORT", second)]);
    for (first, second) in [("7", "8"), ("7", "7")] {
        let error = twice(first, second).unwrap_err().to_string();
        assert!(error.starts_with("CACHE_PORT: ") && error.contains("set twice"), "{error}");
    }
    assert_eq!(twice("7", "").unwrap().port, 7, "a blank value counts as unset");
}

#[test]
fn a_value_that_is_not_utf8_is_refused_and_not_a_panic() {
    let value = OsString::from_vec(vec![0xff, 0xfe]);
    let error = Settings::from_vars([(OsString::from("CACHE_HOST"), value)]).unwrap_err();
    assert!(error.to_string().starts_with("CACHE_HOST: "), "{error}");
    let name = OsString::from_vec(b"CACHE_\xff".to_vec());
    assert!(Settings::from_vars([(name, OsString::from("x"))]).is_ok());
}

proptest! {
    #[test]
    fn no_value_of_any_variable_panics(index in 0..VARIABLES.len(), value in ".*") {
        let name = VARIABLES[index].name;
        if let Err(error) = one(name, &value) {
            prop_assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}

/// A URL may have a password in it.
#[test]
fn the_backend_is_read_and_its_url_is_never_shown() {
    let backend = |vars: &[(&str, &str)]| {
        let all = [("CACHE_BACKEND", "Valkey")].into_iter().chain(vars.iter().copied());
        Settings::from_vars(all)
    };
    let tier = backend(&[
        ("CACHE_BACKEND_URL", "rediss://me:secret@one:6380/2"),
        ("CACHE_BACKEND_TLS_CA_PATH", "ca.pem"),
        ("CACHE_BACKEND_STALE_SECONDS", "2.5"),
    ]);
    let tier = tier.unwrap().tier.unwrap();
    assert_eq!(tier.stale_time, Duration::from_millis(2500));
    assert_eq!((tier.timeout, tier.required), (Duration::from_secs(1), false));
    assert_eq!((tier.prefix.as_str(), tier.tls.pair), ("tiny-cache:", None));
    for (vars, variable, allowed) in [
        (&[][..], "CACHE_BACKEND_URL", "redis://[USER:PASSWORD@]HOST"),
        (&[("CACHE_BACKEND_URL", "http://me:secret@one")], "CACHE_BACKEND_URL", "redis://"),
        (
            &[("CACHE_BACKEND_URL", "redis://one"), ("CACHE_BACKEND_TLS_CA_PATH", "ca.pem")],
            "CACHE_BACKEND_TLS_CA_PATH",
            "begins with rediss://",
        ),
        (
            &[("CACHE_BACKEND_URL", "rediss://one"), ("CACHE_BACKEND_TLS_KEY_PATH", "k.pem")],
            "CACHE_BACKEND_TLS_CERT_PATH",
            "the path of the key's certificate",
        ),
        (&[("CACHE_BACKEND_URL", "redis://me:secret@one:99999")], "CACHE_BACKEND_URL", "65535"),
        (
            &[
                ("CACHE_BACKEND_URL", "redis://me:secret@one"),
                ("CACHE_BACKEND_PASSWORD_PATH", "password"),
            ],
            "CACHE_BACKEND_PASSWORD_PATH",
            "leave one of them out",
        ),
        (
            &[("CACHE_BACKEND_URL", "redis://one"), ("CACHE_BACKEND_PREFIX", "a b")],
            "CACHE_BACKEND_PREFIX",
            "visible ASCII",
        ),
    ] {
        let error = backend(vars).unwrap_err().to_string();
        assert!(error.starts_with(variable) && error.contains(allowed), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let error = one("CACHE_BACKEND_URL", "redis://me:secret@one").unwrap_err().to_string();
    assert!(error.contains("needs CACHE_BACKEND=redis") && !error.contains("secret"), "{error}");
}
