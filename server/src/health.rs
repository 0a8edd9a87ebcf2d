//! The gRPC health service, `grpc.health.v1.Health`.
//!
//! Our own, because tonic-health has no List, and its server never ends a Watch. Here a Watch
//! ends once it has sent NOT_SERVING.

use std::{collections::HashMap, pin::Pin};

use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::lifecycle::Phase;

use self::pb::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
    health_check_response::ServingStatus,
};

pub(crate) use self::pb::health_server::HealthServer;

/// The messages and the service, generated from `proto/grpc/health/v1/health.proto`.
#[expect(unreachable_pub, reason = "generated")]
#[allow(clippy::pedantic, reason = "generated")]
mod pb {
    tonic::include_proto!("grpc.health.v1");
}

/// The encoded `FileDescriptorSet` of package `grpc.health.v1`.
pub(crate) const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/health.fds"));

/// What has a status: the server as a whole, and the services of the cache.
const SERVICES: [&str; 3] =
    ["", tiny_cache_proto::SERVICE_NAME, tiny_cache_proto::SECOND_SERVICE_NAME];

/// Answers for the whole server and for the services of the cache.
#[derive(Debug)]
pub(crate) struct Health {
    phase: watch::Receiver<Phase>,
}

impl Health {
    pub(crate) fn new(phase: watch::Receiver<Phase>) -> Self {
        Self { phase }
    }
}

fn known(request: &HealthCheckRequest) -> Result<(), Status> {
    if SERVICES.contains(&request.service.as_str()) {
        Ok(())
    } else {
        Err(Status::not_found("unknown service"))
    }
}

fn answer(phase: &Phase) -> HealthCheckResponse {
    let status = match phase {
        Phase::Serving => ServingStatus::Serving,
        Phase::Starting(_) | Phase::WithoutTier | Phase::Draining(_) => ServingStatus::NotServing,
    };
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl pb::health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        known(request.get_ref())?;
        Ok(Response::new(answer(&self.phase.borrow())))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let now = answer(&self.phase.borrow());
        let statuses = SERVICES.map(|service| (service.to_owned(), now));
        Ok(Response::new(HealthListResponse { statuses: HashMap::from(statuses) }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        known(request.get_ref())?;
        let mut phase = self.phase.clone();
        phase.mark_changed();
        let changes = stream::unfold(Some(phase), |phase| async {
            let mut phase = phase?;
            phase.changed().await.ok()?;
            let now = phase.borrow_and_update().clone();
            let goes_on = !matches!(now, Phase::Draining(_));
            Some((Ok(answer(&now)), goes_on.then_some(phase)))
        });
        Ok(Response::new(changes.boxed()))
    }
}
