//! `tiny-cache-server healthcheck`, for containers that have no curl.

use crate::support::{process::Process, process::command, run};

#[test]
fn healthcheck_tells_whether_the_server_is_ready() {
    run(async {
        let server = Process::start(&[]);
        let addr = server.http_addr();
        let check = || {
            let vars = [
                ("CACHE_HEALTH_HOST", addr.ip().to_string()),
                ("CACHE_HEALTH_PORT", addr.port().to_string()),
            ];
            let vars = vars.map(|(name, value)| (name.to_owned(), value));
            command(vars).arg("healthcheck").output().unwrap()
        };
        assert_eq!(check().status.code(), Some(0));
        drop(server);
        assert_eq!(check().status.code(), Some(1));
    });
}

#[test]
fn healthcheck_asks_the_loopback_when_the_server_listens_everywhere() {
    run(async {
        let server = Process::start(&[("CACHE_HEALTH_HOST", "0.0.0.0")]);
        let port = server.http_addr().port().to_string();
        let vars = [("CACHE_HEALTH_HOST", "0.0.0.0"), ("CACHE_HEALTH_PORT", &port)];
        let checked = command(vars).arg("healthcheck").output().unwrap();
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    });
}

/// A size that only a large container allows: the check refused it, for it knew of no
/// container, and a server that was well was taken for ill.
#[test]
fn healthcheck_looks_at_its_own_settings_alone() {
    run(async {
        let server = Process::start(&[]);
        let port = server.http_addr().port().to_string();
        let vars = [
            ("CACHE_HEALTH_HOST", "127.0.0.1"),
            ("CACHE_HEALTH_PORT", &port),
            ("CACHE_MAX_MEMORY_MB", "auto"),
            ("CACHE_MAX_VALUE_BYTES", "157286400"),
        ];
        let checked = command(vars).arg("healthcheck").output().unwrap();
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    });
}

/// Where there is no IPv6, a server that is told `[::]` listens on IPv4 alone.
#[test]
fn healthcheck_finds_a_server_that_has_ipv4_alone() {
    run(async {
        let server = Process::start(&[("CACHE_HEALTH_HOST", "127.0.0.1")]);
        let port = server.http_addr().port().to_string();
        let vars = [("CACHE_HEALTH_HOST", "[::]"), ("CACHE_HEALTH_PORT", &port)];
        let checked = command(vars).arg("healthcheck").output().unwrap();
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    });
}
