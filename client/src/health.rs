//! Health as gRPC has it, and the check that finds connections which look alive and are not.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tiny_cache_proto::SERVICE_NAME;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tonic_health::pb::{HealthCheckResponse, health_check_response::ServingStatus};
use tracing::debug;

use crate::{
    pool::Pool,
    transport::{Connection, Failure, Head, rpc},
};

/// The service that is asked about.
pub(crate) const SERVICE: &str = SERVICE_NAME;

/// How long a check may take before the connection counts as dead.
const DEADLINE: Duration = Duration::from_secs(5);

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

/// Checks every connection once in a while, for as long as there is a pool. One that does not
/// answer is replaced: its calls would otherwise wait for their whole deadline.
pub(crate) async fn watch(pool: Weak<Pool>, period: Duration) {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.is_closed() {
            return;
        }
        let live = pool.live();
        if live.is_empty() {
            // Nobody may be calling; then nobody else brings the connection back.
            let _ = pool.connection().await;
        }
        let checks = live.iter().map(|connection| check(&pool, connection, DEADLINE));
        futures::future::join_all(checks).await;
    }
}

/// Checks a connection, and replaces it where nothing comes back within the deadline.
pub(crate) async fn check(pool: &Arc<Pool>, connection: &Arc<Connection>, deadline: Duration) {
    let mut head = Head::default();
    head.set_timeout(deadline);
    let health = rpc::HealthCheck { service: SERVICE };
    match connection.call_within(&health, &head, deadline).await {
        // Any status is an answer: whoever gives it is alive.
        Ok(_) | Err(Failure::Status(_)) => {}
        Err(failure) => {
            debug!(%failure, "a connection to the cache does not answer and is replaced");
            pool.discard(connection);
        }
    }
}
