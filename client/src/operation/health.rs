//! Asks the server for its health: `health`, and `ping` for yes or no.

use std::time::Duration;

use futures::future::join_all;
use tiny_cache_proto::SERVICE_NAME;
use tonic_health::pb::{HealthCheckResponse, health_check_response::ServingStatus};

use super::{Call, Client, ErrorKind, Request, Result, Run, rpc};

/// Longest try of a ping.
const PING_DEADLINE: Duration = Duration::from_secs(5);

impl Client {
    /// Asks the server through gRPC health whether it takes calls. Of several servers it asks all,
    /// and reports the best: one is enough to take calls. [`Client::on_server`] asks one of them.
    ///
    /// # Errors
    ///
    /// The call failed; [`ErrorKind::Unimplemented`] if the server does not implement health.
    pub fn health(&self) -> Request<'_, GetHealth> {
        self.request(GetHealth)
    }

    /// Whether the server takes calls; never an error. Waits for the deadline of a try, but five
    /// seconds at most, and makes no retries unless the request sets some.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// assert!(client.ping().await);
    /// client.close().await;
    /// assert!(!client.ping().await);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ping(&self) -> Request<'_, Ping> {
        self.request(Ping).retries(0)
    }
}

/// The health that a server reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Health {
    /// It takes calls.
    Serving,
    /// It takes no calls: it starts or drains.
    NotServing,
    /// It does not know.
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

/// See [`Client::health`].
#[derive(Debug)]
pub struct GetHealth;

impl Run for GetHealth {
    type Output = Result<Health>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        let check = rpc::HealthCheck { service: SERVICE_NAME };
        let Some(members) = call.members().await? else {
            return Ok(call.make(&check).await?.into());
        };
        let asked = members.iter().map(|member| {
            let (call, check) = (call.to(member), &check);
            async move { call.make(check).await.map(Health::from) }
        });
        let rank = |health: &Result<Health>| match health {
            Ok(Health::Serving) => 2,
            Ok(Health::NotServing | Health::Unknown) => 1,
            Err(_) => 0,
        };
        let best = |a, b| if rank(&b) > rank(&a) { b } else { a };
        join_all(asked).await.into_iter().reduce(best).unwrap_or(Ok(Health::Unknown))
    }
}

/// See [`Client::ping`].
#[derive(Debug)]
pub struct Ping;

impl Run for Ping {
    type Output = bool;

    async fn run(self, call: Result<Call<'_>>) -> bool {
        let call = call.map(|call| call.at_most(PING_DEADLINE));
        match GetHealth.run(call).await {
            Ok(health) => health == Health::Serving,
            // It answers, but does not implement health.
            Err(error) => error.kind() == ErrorKind::Unimplemented,
        }
    }
}
