//! Workers, and connections that end by an error.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Deployment, Site, messages::key, run, scrape::Scrape};

crate::rows![
    connections_and_work_are_told_by_worker,
    a_peer_that_goes_away_is_no_error,
    what_is_no_http2_is_an_error_of_protocol_or_tls,
    a_handshake_that_takes_too_long_is_an_error,
];

async fn connections_and_work_are_told_by_worker(on: Deployment) {
    let site = on.start();
    let mut caches = Vec::new();
    for _ in 0..4 {
        let mut cache = site.connect().await;
        cache.get(key("k")).await.unwrap();
        caches.push(cache);
    }
    let scrape = Scrape::of(&site).await;
    let workers = if on == Deployment::OneWorkerOneShard { 1 } else { 2 };
    scrape.assert(&[("workers", f64::from(workers)), ("connections_open", 4.0)]);
    for worker in 0..workers {
        let of = |figure: &str| {
            scrape.value(&format!("tiny_cache_worker_{figure}{{worker=\"{worker}\"}}"))
        };
        assert!((of("connections_open") - f64::from(4 / workers)).abs() < 1e-9);
        assert!(of("active_requests").abs() < 1e-9);
        assert!(of("busy_seconds_total") > 0.0);
    }
    assert_eq!(scrape.series("tiny_cache_worker_busy_seconds_total"), workers as usize);
}

/// The errors by kind: handshake timeout, TLS, protocol, keep-alive, socket, stream refused.
fn errors(scrape: &Scrape) -> [f64; 6] {
    ["handshake_timeout", "tls", "protocol", "keep_alive", "io", "stream_refused"]
        .map(|kind| scrape.value(&format!("tiny_cache_connection_errors_total{{kind=\"{kind}\"}}")))
}

/// Waits until the server has done with every connection.
async fn all_gone(site: &Site) -> Scrape {
    Scrape::until(site, |scrape| {
        scrape.value("tiny_cache_connections_open") < 1.0
            && scrape.value("tiny_cache_connections_accepted_total") > 0.0
    })
    .await
}

async fn a_peer_that_goes_away_is_no_error(on: Deployment) {
    let site = on.start();
    // Before a word, after half of one, and after a request.
    drop(TcpStream::connect(site.grpc_addr()).await.unwrap());
    let mut half = TcpStream::connect(site.grpc_addr()).await.unwrap();
    half.write_all(if on.is_tls() { b"\x16\x03\x01" } else { b"PRI * HT" }).await.unwrap();
    drop(half);
    let mut cache = site.connect().await;
    cache.get(key("k")).await.unwrap();
    drop(cache);
    // Reset by its kernel, because it leaves something unread.
    let reset = TcpStream::connect(site.grpc_addr()).await.unwrap();
    reset.set_zero_linger().unwrap();
    drop(reset);
    let accepted = "tiny_cache_connections_accepted_total";
    Scrape::until(&site, |scrape| scrape.value(accepted) > 3.0).await;
    assert_eq!(errors(&all_gone(&site).await), [0.0; 6]);
}

async fn what_is_no_http2_is_an_error_of_protocol_or_tls(on: Deployment) {
    let site = on.start();
    let mut socket = TcpStream::connect(site.grpc_addr()).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The end of the connection, however it comes.
    let _ = socket.read_to_end(&mut answer).await;
    let [tls, protocol] = if on.is_tls() { [1.0, 0.0] } else { [0.0, 1.0] };
    assert_eq!(errors(&all_gone(&site).await), [0.0, tls, protocol, 0.0, 0.0, 0.0]);
}

async fn a_handshake_that_takes_too_long_is_an_error(on: Deployment) {
    let site = on.start_with(&[("CACHE_HANDSHAKE_TIMEOUT_SECONDS", "1")]);
    let mut silent = TcpStream::connect(site.grpc_addr()).await.unwrap();
    let mut answer = Vec::new();
    let _ = silent.read_to_end(&mut answer).await;
    assert_eq!(errors(&all_gone(&site).await), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

/// Broken rules on a connection that had been a good one.
#[test]
fn a_frame_that_breaks_the_rules_is_an_error_of_protocol() {
    run(async {
        let site = Deployment::OneWorkerOneShard.start();
        let mut socket = TcpStream::connect(site.grpc_addr()).await.unwrap();
        // The preface, empty SETTINGS, and DATA on stream 0.
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        socket.write_all(hello).await.unwrap();
        socket.write_all(b"\0\0\x01\0\0\0\0\0\0x").await.unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert_eq!(errors(&all_gone(&site).await), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    });
}
