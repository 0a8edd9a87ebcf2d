//! Row `gRPC health`, while the server serves. Its turn at the drain is in the
//! lifecycle tests.

use std::collections::HashMap;

use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

use crate::support::Deployment;

crate::rows![
    the_server_and_its_service_are_serving,
    watch_tells_the_status_at_once,
    an_unknown_service_is_not_found,
    list_names_every_service_that_check_knows,
];

async fn the_server_and_its_service_are_serving(on: Deployment) {
    let site = on.start();
    let mut health = HealthClient::new(site.channel().await);
    for service in ["", "cache.CacheService", "tinycache.v1.Cache"] {
        let checked = health.check(request(service)).await.unwrap();
        assert_eq!(checked.into_inner().status(), ServingStatus::Serving);
    }
}

async fn watch_tells_the_status_at_once(on: Deployment) {
    let site = on.start();
    let mut health = HealthClient::new(site.channel().await);
    for service in ["", "cache.CacheService", "tinycache.v1.Cache"] {
        let mut watched = health.watch(request(service)).await.unwrap().into_inner();
        let first = watched.message().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::Serving);
    }
}

async fn an_unknown_service_is_not_found(on: Deployment) {
    let site = on.start();
    let mut health = HealthClient::new(site.channel().await);
    for service in ["cache", "cache.Cacheservice", "CacheService", "other"] {
        let error = health.check(request(service)).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound, "{service}");
        let error = match health.watch(request(service)).await {
            Err(error) => error,
            Ok(watched) => watched.into_inner().message().await.unwrap_err(),
        };
        assert_eq!(error.code(), Code::NotFound, "{service}");
    }
}

/// `grpc.health.v1.HealthListResponse`, which tonic-health does not have.
#[derive(Clone, PartialEq, prost::Message)]
struct HealthListResponse {
    #[prost(map = "string, message", tag = "1")]
    statuses: HashMap<String, HealthCheckResponse>,
}

/// List was UNIMPLEMENTED.
async fn list_names_every_service_that_check_knows(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let listed = wire.call("/grpc.health.v1.Health/List", &[], &[]).await.unwrap();
    let listed: HealthListResponse = listed.decoded();
    let mut names: Vec<_> = listed.statuses.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["", "cache.CacheService", "tinycache.v1.Cache"]);
    assert!(listed.statuses.values().all(|is| is.status() == ServingStatus::Serving));
}

fn request(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}
