//! The library's `shutdown` drains as SIGTERM does, and dropping it does not.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::{
    peers::{self, Held, Stalled},
    support::{Deployment, http::Http, messages::key, run},
};

/// Long enough that only a server that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn shutdown_answers_what_is_in_flight_and_returns() {
    run(async {
        let site = Deployment::SeveralWorkersAndShards
            .start_with(&[("CACHE_SHUTDOWN_GRACE_SECONDS", "60")]);
        let (grpc, http) = (site.grpc_addr(), site.http_addr());
        peers::store_large_value(grpc).await;
        let _idle = peers::idle(grpc, 10).await;
        let _silent = peers::silent(grpc, 3).await;
        let held = Held::requests(grpc, 8).await;
        let mut readiness = Http::connect(http).await.unwrap();
        assert_eq!(readiness.get("/ready").await.unwrap().status, 200);

        let started = Instant::now();
        let shutdown = tokio::task::spawn_blocking(move || site.server.shutdown());
        while readiness.get("/ready").await.unwrap().status != 503 {
            assert!(started.elapsed() < PATIENCE, "readiness never turns");
        }
        assert!(!shutdown.is_finished(), "requests are in flight");
        held.take().await;
        shutdown.await.unwrap();
        assert!(started.elapsed() < PATIENCE);
        TcpStream::connect(grpc).await.unwrap_err();
        TcpStream::connect(http).await.unwrap_err();
    });
}

#[test]
fn shutdown_returns_within_the_grace_whatever_the_peers_do() {
    run(async {
        let site = Deployment::SeveralWorkersAndShards
            .start_with(&[("CACHE_SHUTDOWN_GRACE_SECONDS", "1")]);
        peers::store_large_value(site.grpc_addr()).await;
        let _held = Held::requests(site.grpc_addr(), 8).await;
        let _stalled = Stalled::connection(site.grpc_addr()).await;
        let started = Instant::now();
        tokio::task::spawn_blocking(move || site.server.shutdown()).await.unwrap();
        let took = started.elapsed();
        assert!(took <= Duration::from_millis(1500), "{took:?}");
    });
}

#[test]
fn dropping_a_server_stops_it_at_once() {
    run(async {
        let site =
            Deployment::OneWorkerOneShard.start_with(&[("CACHE_SHUTDOWN_GRACE_SECONDS", "60")]);
        let addr = site.grpc_addr();
        peers::store_large_value(addr).await;
        let _held = Held::requests(addr, 8).await;
        let mut cache = site.connect().await;
        cache.get(key("large")).await.unwrap();
        let started = Instant::now();
        tokio::task::spawn_blocking(move || drop(site)).await.unwrap();
        assert!(started.elapsed() < PATIENCE);
        TcpStream::connect(addr).await.unwrap_err();
        cache.get(key("large")).await.unwrap_err();
    });
}
