//! One HTTP/2 connection and the calls over it. A clone shares the connection.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use thiserror::Error;
use tiny_cache_proto::cache::{
    CacheItem, CacheKey, CacheResponse, CacheStats, CacheStatus, Empty,
    cache_service_client::CacheServiceClient,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint},
};

use super::{CallError, Namespace, Target, call_error::root_cause};
use crate::access::Ttl;

/// Pause between two tries to connect: short beside any patience worth having.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// HTTP/2 windows. A value of some MiB comes in without a stall for a window update, and
/// the connection's window holds several of them.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;

/// What holds for every call of a connection.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// The keyspace, or none for the shared one.
    pub namespace: Option<Namespace>,
    /// How long a call may take.
    pub timeout: Duration,
}

/// How a connection is made.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Where to.
    pub target: Target,
    /// How long it is tried again when nothing listens there yet.
    pub patience: Duration,
    /// Calls that wait in front of the connection before a caller has to.
    pub queue: usize,
    /// What holds for its calls.
    pub calls: CallSettings,
}

/// No connection could be made in time.
#[derive(Debug, Error)]
#[error("cannot reach {target} within {}: {cause}", humantime::format_duration(*patience))]
pub struct Unreachable {
    target: Target,
    patience: Duration,
    cause: String,
}

/// What a Get found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// A live value.
    Hit(Bytes),
    /// Nothing, or nothing any more.
    Miss,
}

/// A connection to a cache server.
#[derive(Clone, Debug)]
pub struct Connection {
    client: CacheServiceClient<Channel>,
    calls: CallSettings,
}

impl Connection {
    /// Connects, again and again until it works or patience runs out.
    ///
    /// # Errors
    ///
    /// Nothing accepted the connection in time.
    pub async fn open(dial: Dial) -> Result<Self, Unreachable> {
        let Dial { target, patience, queue, calls } = dial;
        let deadline = Instant::now() + patience;
        let mut cause = "no answer".to_owned();
        loop {
            match timeout_at(deadline, connect(&target, queue)).await {
                Ok(Ok(channel)) => {
                    let client = CacheServiceClient::new(channel)
                        .max_decoding_message_size(usize::MAX)
                        .max_encoding_message_size(usize::MAX);
                    return Ok(Self { client, calls });
                }
                Ok(Err(error)) => cause = root_cause(&error).unwrap_or_else(|| error.to_string()),
                Err(_elapsed) => {
                    return Err(Unreachable { target, patience, cause });
                }
            }
            if deadline - Instant::now() <= RETRY_PAUSE {
                return Err(Unreachable { target, patience, cause });
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Reads one value.
    ///
    /// # Errors
    ///
    /// The call failed or took too long.
    pub async fn get(&mut self, key: String) -> Result<Lookup, CallError> {
        let request = self.request(CacheKey { key });
        let reply = within(self.calls.timeout, self.client.get(request)).await?;
        Ok(if reply.found { Lookup::Hit(reply.value) } else { Lookup::Miss })
    }

    /// Writes one value.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or the reply's own status is not OK.
    pub async fn set(&mut self, key: String, value: Bytes, ttl: Ttl) -> Result<(), CallError> {
        let request = self.request(CacheItem { key, value, ttl: ttl.seconds() });
        accepted(&within(self.calls.timeout, self.client.set(request)).await?)
    }

    /// Removes one value.
    ///
    /// # Errors
    ///
    /// The call failed or took too long, or the reply's own status is not OK.
    pub async fn delete(&mut self, key: String) -> Result<(), CallError> {
        let request = self.request(CacheKey { key });
        accepted(&within(self.calls.timeout, self.client.delete(request)).await?)
    }

    /// Asks for the figures of the whole server.
    ///
    /// # Errors
    ///
    /// The call failed or took too long.
    pub async fn stats(&mut self) -> Result<CacheStats, CallError> {
        let request = self.request(Empty {});
        within(self.calls.timeout, self.client.stats(request)).await
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(namespace) = &self.calls.namespace {
            request.metadata_mut().insert(Namespace::METADATA, namespace.metadata());
        }
        request
    }
}

async fn connect(target: &Target, queue: usize) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(target.uri())?
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))?
        .tcp_nodelay(true)
        .buffer_size(queue)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect()
        .await
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, CallError> {
    match timeout(limit, call).await {
        Ok(reply) => Ok(reply?.into_inner()),
        Err(_elapsed) => Err(CallError::timed_out(limit)),
    }
}

fn accepted(reply: &CacheResponse) -> Result<(), CallError> {
    match reply.status() {
        CacheStatus::Ok => Ok(()),
        CacheStatus::Unspecified | CacheStatus::Error => Err(CallError::refused(reply.status)),
    }
}
