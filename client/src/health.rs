//! Health as gRPC has it, and the check that finds connections which look alive and are not.

use std::time::Duration;

use tiny_cache_proto::SERVICE_NAME;
use tonic_health::pb::{HealthCheckResponse, health_check_response::ServingStatus};
use tracing::debug;

use crate::transport::{Connection, Failure, Head, rpc};

/// The service that is asked about.
pub(crate) const SERVICE: &str = SERVICE_NAME;

/// What a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Health {
    /// It takes calls.
    Serving,
    /// It does not, or not for long: it starts, or it drains.
    NotServing,
    /// It does not say.
    Unknown,
}

impl From<HealthCheckResponse> for Health {
    fn from(response: HealthCheckResponse) -> Self {
        match response.status() {
            ServingStatus::Serving => Self::Serving,
            ServingStatus::NotServing => Self::NotServing,
            ServingStatus::Unknown | ServingStatus::ServiceUnknown => Self::Unknown,
        }
    }
}

/// Whether the server answers over this connection within the deadline.
pub(crate) async fn check(connection: &Connection, deadline: Duration) -> bool {
    let mut head = Head::default();
    head.set_timeout(deadline);
    let health = rpc::HealthCheck { service: SERVICE };
    match connection.call_within(&health, &head, deadline).await {
        // Any status is an answer: the peer that gives it is alive.
        Ok(_) | Err(Failure::Status(_)) => true,
        Err(failure) => {
            debug!(%failure, "a connection to the cache does not answer");
            false
        }
    }
}
