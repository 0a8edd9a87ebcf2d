//! Checks through gRPC health that a server answers over a connection.

use std::time::Duration;

use tiny_cache_proto::SERVICE_NAME;
use tracing::debug;

use crate::transport::{Connection, Failure, Head, rpc};

/// Whether the server answers over this connection within the deadline.
pub(super) async fn answers(connection: &Connection, deadline: Duration) -> bool {
    let mut head = Head::default();
    head.set_timeout(deadline);
    let health = rpc::HealthCheck { service: SERVICE_NAME };
    match connection.call_within(&health, &head, deadline).await {
        // Any status is an answer: the peer that sends it is alive.
        Ok(_) | Err(Failure::Status(_)) => true,
        Err(failure) => {
            debug!(%failure, "a connection to the cache does not answer");
            false
        }
    }
}
