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
