//! The gRPC health service, `grpc.health.v1.Health`.
//!
//! Our own on tonic-health's messages: its server leaves a Watch open for ever, which would
//! hold every drain until the end of its grace. Here a Watch ends once it has said
//! NOT_SERVING.

use std::pin::Pin;

use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server,
};

use crate::lifecycle::Phase;

/// Answers for the whole server and for the cache's service.
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
    match request.service.as_str() {
        "" | tiny_cache_proto::SERVICE_NAME => Ok(()),
        _ => Err(Status::not_found("unknown service")),
    }
}

fn answer(phase: Phase) -> HealthCheckResponse {
    let status = match phase {
        Phase::Serving => ServingStatus::Serving,
        Phase::Starting | Phase::Draining => ServingStatus::NotServing,
    };
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        known(request.get_ref())?;
        Ok(Response::new(answer(*self.phase.borrow())))
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
            let now = *phase.borrow_and_update();
            Some((Ok(answer(now)), (now != Phase::Draining).then_some(phase)))
        });
        Ok(Response::new(changes.boxed()))
    }
}
