//! The servers that the suites run against: the library, started in this
//! process on free ports of the loopback address.

use std::{
    env,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use tiny_cache_proto::{
    cache::{cache_service_client::CacheServiceClient, *},
    v1::cache_client::CacheClient,
};
use tiny_cache_server::{Server, Settings, Transport};
use tonic::{
    IntoRequest, Response, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use super::{
    certificates::{Certificates, SERVER_NAME},
    http::{self, Http},
    redis::{Cluster, Redis},
    wire::{self, Wire},
};

/// The generated client, on a connection of its own. Its calls return messages of any size, and
/// the messages alone.
#[derive(Clone)]
pub(crate) struct Cache(Client);

type Client = CacheServiceClient<Channel>;

/// The generated client of the second service.
pub(crate) type Second = CacheClient<Channel>;

macro_rules! calls {
    ($($call:ident: $request:ident => $reply:ident;)*) => {
        impl Cache {
            $(pub(crate) async fn $call(
                &mut self,
                request: impl IntoRequest<$request>,
            ) -> Result<$reply, Status> {
                self.0.$call(request).await.map(Response::into_inner)
            })*
        }
    };
}

calls! {
    get: CacheKey => CacheValue;
    set: CacheItem => CacheResponse;
    delete: CacheKey => CacheResponse;
    stats: Empty => CacheStats;
    multi_get: MultiCacheKeyRequest => MultiCacheValueResponse;
    multi_set: MultiCacheItemRequest => MultiCacheResponse;
    multi_delete: MultiCacheKeyRequest => MultiCacheResponse;
    set_if_absent: CacheItem => ConditionalCacheResponse;
    compare_and_set: CompareAndSetRequest => ConditionalCacheResponse;
}

impl Cache {
    /// A client on this channel.
    pub(crate) fn new(channel: Channel) -> Self {
        let client = Client::new(channel).max_decoding_message_size(usize::MAX);
        Self(client.max_encoding_message_size(usize::MAX))
    }

    /// The client with other options.
    pub(crate) fn with(self, option: impl FnOnce(Client) -> Client) -> Self {
        Self(option(self.0))
    }
}

/// The shapes of server that every row of the contract holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// Nothing runs at the same time as anything else.
    OneWorkerOneShard,
    /// Keys and connections are spread.
    SeveralWorkersAndShards,
    /// Spread, and encrypted.
    Tls,
    /// Spread, on hyper's HTTP/2.
    ByHyper,
    /// Spread, encrypted, on hyper's HTTP/2.
    ByHyperOverTls,
    /// Spread; no call is answered at once.
    LongWay,
    /// Spread, over one Redis that all tests of the process share, each with keys of its own.
    OverRedis,
    /// Likewise, over a cluster.
    OverCluster,
}

impl Deployment {
    /// Starts a server with the defaults.
    pub(crate) fn start(self) -> Site {
        self.start_with(&[])
    }

    /// Starts a server with some variables set.
    pub(crate) fn start_with(self, vars: &[(&str, &str)]) -> Site {
        let spread = if self == Self::OneWorkerOneShard {
            [("CACHE_WORKERS", "1"), ("CACHE_SHARDS", "1")]
        } else {
            [("CACHE_WORKERS", "2"), ("CACHE_SHARDS", "8")]
        };
        let mut all: Vec<(String, String)> = loopback();
        all.extend(owned(&spread));
        if self.is_tls() {
            let made = Certificates::of_this_process();
            all.extend(owned(&[
                ("CACHE_TLS_ENABLED", "true"),
                ("CACHE_TLS_CERT_PATH", &made.server_certificate()),
                ("CACHE_TLS_KEY_PATH", &made.server_key()),
            ]));
        }
        all.extend(self.tier());
        all.extend(owned(vars));
        if matches!(self, Self::ByHyper | Self::ByHyperOverTls) {
            all.extend(owned(&[("CACHE_TRANSPORT", "hyper")]));
        }
        let mut settings = Settings::from_vars(all).unwrap();
        if self == Self::LongWay {
            settings.transport = Transport::LongWay;
        }
        let has_tier = settings.tier.is_some();
        Site { server: Server::start(settings).unwrap(), tls: self.is_tls(), has_tier }
    }

    /// The second tier, and keys that no other server has there.
    fn tier(self) -> Vec<(String, String)> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let url = match self {
            Self::OverRedis => Redis::of_this_process().url(),
            Self::OverCluster => Cluster::of_this_process().url(),
            _ => return Vec::new(),
        };
        let prefix = format!("test-{}:", STARTED.fetch_add(1, Ordering::Relaxed));
        let mut vars = owned(&[
            ("CACHE_BACKEND", "redis"),
            ("CACHE_BACKEND_URL", &url),
            ("CACHE_BACKEND_PREFIX", &prefix),
            // Before the first call.
            ("CACHE_BACKEND_REQUIRED", "true"),
            // Rows send tens of megabytes at a time, on machines with other work.
            ("CACHE_BACKEND_TIMEOUT_SECONDS", "20"),
        ]);
        // `make test-tier` cuts the near part down.
        let near = env::var("TINY_CACHE_TEST_NEAR_MB").ok();
        vars.extend(near.map(|mb| ("CACHE_MAX_MEMORY_MB".to_owned(), mb)));
        vars
    }

    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::ByHyperOverTls)
    }
}

/// Both addresses on the loopback, at ports that the system chooses.
pub(crate) fn loopback() -> Vec<(String, String)> {
    owned(&[
        ("CACHE_HOST", "127.0.0.1"),
        ("CACHE_PORT", "0"),
        ("CACHE_HEALTH_HOST", "127.0.0.1"),
        ("CACHE_HEALTH_PORT", "0"),
    ])
}

fn owned(vars: &[(&str, &str)]) -> Vec<(String, String)> {
    vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A running server. Dropping it stops the server.
pub(crate) struct Site {
    pub(crate) server: Server,
    tls: bool,
    /// Then the store has a part of the entries.
    pub(crate) has_tier: bool,
}

impl Site {
    pub(crate) fn grpc_addr(&self) -> SocketAddr {
        self.server.grpc_addr()
    }

    pub(crate) fn http_addr(&self) -> SocketAddr {
        self.server.http_addr()
    }

    /// A client on a connection of its own, without limits of its own.
    pub(crate) async fn connect(&self) -> Cache {
        Cache::new(self.channel().await)
    }

    /// A client of the second service, likewise.
    pub(crate) async fn second(&self) -> Second {
        let client = Second::new(self.channel().await).max_decoding_message_size(usize::MAX);
        client.max_encoding_message_size(usize::MAX)
    }

    /// A channel with one connection of its own.
    pub(crate) async fn channel(&self) -> Channel {
        self.try_channel().await.unwrap()
    }

    /// A channel, where the server takes another connection.
    ///
    /// # Errors
    ///
    /// Fails where the server closes the connection before it is set up.
    pub(crate) async fn try_channel(&self) -> Result<Channel, tonic::transport::Error> {
        channel(self.grpc_addr(), self.tls).await
    }

    /// A connection one level below gRPC.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::open(self.stream().await).await
    }

    /// A bare stream, encrypted where the server is.
    pub(crate) async fn stream(&self) -> Box<dyn wire::Stream> {
        wire::stream(self.grpc_addr(), self.tls).await
    }

    /// One `GET` on a connection of its own.
    pub(crate) async fn http(&self, path: &str) -> http::Response {
        let mut http = Http::connect(self.http_addr()).await.unwrap();
        http.get(path).await.unwrap()
    }
}

/// A channel with one connection of its own.
///
/// # Errors
///
/// Fails where the server closes the connection before it is set up.
pub(crate) async fn channel(
    addr: SocketAddr,
    tls: bool,
) -> Result<Channel, tonic::transport::Error> {
    if !tls {
        return Endpoint::from_shared(format!("http://{addr}")).unwrap().connect().await;
    }
    let authority = &Certificates::of_this_process().authority;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .domain_name(SERVER_NAME);
    let endpoint = Endpoint::from_shared(format!("https://{addr}")).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await
}
