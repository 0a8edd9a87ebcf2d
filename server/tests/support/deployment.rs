//! The servers that the suites run against: the library, started in this
//! process on free ports of the loopback address.

use std::net::SocketAddr;

use tiny_cache_proto::cache::cache_service_client::CacheServiceClient;
use tiny_cache_server::{Server, Settings};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::{
    certificates::{Certificates, SERVER_NAME},
    http::{Http, Response},
    wire::{self, Wire},
};

/// The generated client, on a connection of its own.
pub(crate) type Cache = CacheServiceClient<Channel>;

/// The shapes of server that every row of the contract holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// Nothing runs at the same time as anything else.
    OneWorkerOneShard,
    /// Keys and connections are spread.
    SeveralWorkersAndShards,
    /// Spread, and encrypted.
    Tls,
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
        if self == Self::Tls {
            let made = Certificates::of_this_process();
            all.extend(owned(&[
                ("CACHE_TLS_ENABLED", "true"),
                ("CACHE_TLS_CERT_PATH", &made.server_certificate()),
                ("CACHE_TLS_KEY_PATH", &made.server_key()),
            ]));
        }
        all.extend(owned(vars));
        let settings = Settings::from_vars(all).unwrap();
        Site { server: Server::start(settings).unwrap(), tls: self == Self::Tls }
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
        unlimited(self.channel().await)
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
        let addr = self.grpc_addr();
        let endpoint = if self.tls {
            let authority = &Certificates::of_this_process().authority;
            Endpoint::from_shared(format!("https://{addr}"))
                .unwrap()
                .tls_config(
                    ClientTlsConfig::new()
                        .ca_certificate(Certificate::from_pem(authority))
                        .domain_name(SERVER_NAME),
                )
                .unwrap()
        } else {
            Endpoint::from_shared(format!("http://{addr}")).unwrap()
        };
        endpoint.connect().await
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
    pub(crate) async fn http(&self, path: &str) -> Response {
        let mut http = Http::connect(self.http_addr()).await.unwrap();
        http.get(path).await.unwrap()
    }
}

/// A client that takes and sends messages of any size.
pub(crate) fn unlimited(channel: Channel) -> Cache {
    Cache::new(channel).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX)
}
