//! A real server whose certificates are in a mount, and clients that look at what has changed.

use std::path::Path;

use prost::Message;
use tiny_cache_test_support::certificates::Authority;

use super::{
    certificates::{Identity, SERVER_NAME},
    http::Http,
    messages::key,
    mount::{Mount, TlsClient, shown},
    process::Process,
    wire::Wire,
};

/// What the server logs of a file that it uses from now on.
pub(crate) const READ_AGAIN: &str = "file read again; what it holds is in use";
/// What it logs of one that it cannot use.
pub(crate) const CANNOT_BE_USED: &str =
    "file changed and cannot be used; what it held before stays in use";

/// A certificate for the server.
pub(crate) fn server_of(authority: &Authority) -> Identity {
    authority.sign(&[SERVER_NAME, "127.0.0.1"])
}

/// The variables of files that are in the mount, by their names.
const FILES: [(&str, &str); 4] = [
    ("CACHE_TLS_CERT_PATH", "tls.crt"),
    ("CACHE_TLS_KEY_PATH", "tls.key"),
    ("CACHE_TLS_CLIENT_CA_PATH", "ca.crt"),
    ("CACHE_TLS_CRL_PATH", "crl.pem"),
];

/// A server of the files that the mount has.
pub(crate) fn start(mount: &Mount, more: &[(&str, &str)]) -> Process {
    let files = FILES.map(|(variable, name)| (variable, mount.path(name)));
    let has = |path: &String| Path::new(path).exists();
    let mut vars: Vec<_> = files
        .iter()
        .filter(|(_, path)| has(path))
        .map(|(variable, path)| (*variable, path.as_str()))
        .collect();
    vars.push(("CACHE_TLS_ENABLED", "true"));
    if vars.iter().any(|(variable, _)| *variable == "CACHE_TLS_CLIENT_CA_PATH") {
        vars.push(("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true"));
    }
    vars.extend(more);
    Process::start(&vars)
}

/// The value of a series without its prefix; 0 where it is not there.
pub(crate) async fn metric(server: &Process, series: &str) -> f64 {
    let mut http = Http::connect(server.http_addr()).await.unwrap();
    let page = http.get("/metrics").await.unwrap().body;
    value(&page, series)
}

fn value(page: &str, series: &str) -> f64 {
    let wanted = format!("tiny_cache_{series} ");
    let found = page.lines().find_map(|line| line.strip_prefix(&wanted));
    found.map_or(0.0, |value| value.parse().unwrap())
}

/// The series of [`metric`] that counts what was read again.
pub(crate) fn reloads(file: &str, result: &str) -> String {
    format!("reloads_total{{file=\"{file}\",result=\"{result}\"}}")
}

/// One call on a connection of its own. Returns the certificate that the server has shown.
pub(crate) async fn call_once(client: &TlsClient, server: &Process) -> Result<Vec<u8>, String> {
    let stream = client.connect(server.grpc_addr()).await.map_err(|error| error.to_string())?;
    let certificate = shown(&stream);
    let mut wire = Wire::connect(stream).await.map_err(|error| error.to_string())?;
    call(&mut wire).await.map(|()| certificate)
}

pub(crate) async fn call(wire: &mut Wire) -> Result<(), String> {
    let reply = wire.call("/cache.CacheService/Get", &[], &key("k").encode_to_vec()).await;
    let reply = reply.map_err(|error| error.to_string())?;
    if reply.code() == tonic::Code::Ok { Ok(()) } else { Err(format!("{reply:?}")) }
}
